"""Lesson 00's questions and hints. `tests/teaching/test_machine.py` holds their numbers true."""

from .questions import Question

QUESTIONS = {
    "same_last_word": Question(
        'The model reads "The cat is". Separately, it reads "The dog is". Both end in the same '
        "token. Will it predict the same next words, with the same probabilities?",
        "no, since earlier tokens count too",
        {
            "yes, since both end in the same token": "Compare the first three lines of the "
            "output with the last three: sleeping has 0.62 after the cat, and is not among the "
            "best three after the dog.",
            "no, since earlier tokens count too": "The difference can only have come from "
            "cat and dog. Attention is the station that carries information from one token to "
            "another.",
            "no, since each run gives a new answer": "Run that cell again: the probabilities "
            "are the same every time. Chance comes in later, when a token is drawn from them.",
        },
    ),
    "reaches": Question(
        "Your new model will be trained for 300 steps. Where will its loss on the held-out text be "
        'after that, compared with the levels of "knows nothing" and "token pairs"?',
        'below that of "token pairs"',
        {
            'above that of "knows nothing"': "Look at the held-out curve: at its first point, "
            "step 50, it is far below that level already.",
            "between the two of them": "Look at the right end of the held-out curve: it is below "
            "the line of the token pairs.",
            'below that of "token pairs"': "A table of pairs sees one token back. Your model "
            "sees up to 64, and has learned to use some of them.",
        },
    ),
    "exit": Question(
        'After "The cat is" the model gives "sleeping" the probability 0.62. It continues this '
        "text 100 times, at temperature 1. What do you expect?",
        "sleeping comes next in about 62 of them",
        {
            "sleeping comes next in every one of them": "Look at the bars: the "
            "other tokens have 0.38 together, and at temperature 1 a token is drawn each time.",
            "each possible word comes next equally often": "Look at the bars: on has 0.28 and "
            "happy only 0.05. A token is drawn at random, but with these probabilities.",
            "sleeping comes next in about 62 of them": "The answer is a probability for every "
            "token, and each time one is drawn from it. It will seldom be exactly 62.",
        },
    ),
    "most_numbers": Question(
        "Embeddings, attention, feedforward: which of them has the most of the 129,600 numbers?",
        "feedforward",
        {
            "the embeddings": "Look at the table: 29,504 numbers, 23 percent. Each of 397 tokens "
            "has 64 of them, and each of 64 positions.",
            "attention": "Look at the table: 33,280 numbers, 26 percent. Feedforward has twice "
            "as many.",
            "feedforward": "About half of them. It is the part that widens each vector to 256 "
            "numbers and narrows it again.",
        },
    ),
    "learned_last": Question(
        "Four things that the model has to learn. Which of them will it learn last?",
        "whose ball is blue, among three owners",
        {
            "how often the cat of a story is sleeping": "Look at the first row of the table: from "
            "step 1,500 on it stays within 0.04 of the truth.",
            "that a dog barked, if it was hungry": "Look at the second row of the table: "
            "1.00 at step 400 already.",
            "whose ball is blue, between two owners": "Look at the third row of the table: 0.93 "
            "at step 1,500. The fourth row is later still.",
            "whose ball is blue, among three owners": "Still 0.30 at step 1,500. The name must be "
            "found among the earlier tokens, and from there the colour: two steps, for which it "
            "needs both layers.",
        },
    ),
    "less_text": Question(
        "The same model is trained for the same 150 steps, but on 4,000 tokens instead of "
        "196,000. Which of its losses will be lower than with all the text?",
        "the training loss only",
        {
            "the held-out loss only": "Compare the first and the last row of the table: on "
            "held-out text, the little text gives by far the higher loss.",
            "the training loss only": "It reads the same 4,000 tokens about forty times, and "
            "learns them almost by heart. That does not help on new text.",
            "both of its losses": "Compare the first and the last row of the table: the training "
            "loss is lower, and the held-out loss is higher.",
        },
    ),
}

HINTS = {
    "mean_surprise": (
        "Try it by hand with two probabilities, 0.6 and 0.3. What is the surprise of each, and "
        "what is the mean of the two?",
        "Python's `log` is the natural logarithm. A logarithm of a number below 1 is negative: "
        "what does the minus sign do?",
        "Add up the surprises in a loop, and divide once, after the loop.",
    ),
    "divergence": (
        "Take one word alone. What are its true probability p and the model's q, and how would "
        "you look both up in the two dictionaries?",
        "Each word of the truth adds one number. Which of the two probabilities is outside the "
        "logarithm?",
        "If model and truth are the same, every ratio is 1. What is the logarithm of 1?",
    ),
    "counting_loss": (
        "For n = 1 this is the lesson's `pair_loss`. Which two counts does it divide, and what "
        "would they be for n = 3?",
        "A `Counter` needs keys that can be looked up. A slice of a text can be one, a slice of a "
        "list cannot: `tuple` makes it one.",
        "With n = 0 there is no context. How long is the slice then, and how often does it occur?",
        "The last n symbols of `known` have nothing after them: do they belong in the count of "
        "what follows?",
    ),
}
