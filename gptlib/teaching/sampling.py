"""Lesson 07's questions and hints. `tests/teaching/test_sampling.py` holds their numbers."""

from .questions import Question

QUESTIONS = {
    # ---- The lesson ----
    "learned": Question(
        'After "The cat is", the trained model gives `sleeping` about 0.60. Where does this '
        "number come from?",
        "from how often the word came next",
        {
            "from how often the word came next": "In the stories, `sleeping` comes next in about "
            "60 of 100 cases, and near this share the loss is smallest.",
            "from probabilities in its targets": "Look at the targets of lesson 06: each of them "
            "is the one token that really came next. No probability is among them.",
            "from its weights before training": "Look at the first output of lesson 06, before "
            "training: `sleeping` has 0.0027, about as much as any other token.",
        },
    ),
    "others": Question(
        "At temperature 1, the 393 other tokens have about 0.001 together. What do they have "
        "together at temperature 5?",
        "about 0.75",
        {
            "about 0.005": "Look at the bars of `others` in the picture: from T = 1 to T = 5 "
            "their share does not become 5 times larger, but hundreds of times.",
            "about 0.05": "Look at the bars of `others` in the picture: at T = 5 they have "
            "far more than our four words.",
            "about 0.75": "A high temperature makes all 397 probabilities more alike, and 393 of "
            "them belong to other tokens.",
        },
    ),
    "how_many_stay": Question(
        "At temperature 1, top-p 0.85 keeps two of the 397 tokens. How many does it keep at "
        "temperature 5?",
        "more than 100",
        {
            "the same two": "Look at the last line of the output. Top-p adds up probabilities "
            "until it has 0.85, and at T = 5 the first two have only 0.15.",
            "fewer than 20": "Look at the last line of the output. At T = 5 our four words have "
            "only 0.24, and each other token has far less than one of these.",
            "more than 100": "At T = 5 our four words have only 0.24, so many other tokens are "
            "needed to reach 0.85.",
        },
    ),
    "exit": Question(
        "A model writes an odd sentence at temperature 2. For each token, the temperature changed "
        "the probabilities, and then a token was drawn. Where did chance come in?",
        "only in the draw",
        {
            "only in the draw": "The temperature made odd words more probable, by calculation. "
            "Then a random number decided.",
            "only in the change": "Run `gptlib.next_token_probs(logits, 2)` twice: the "
            "probabilities are exactly the same. Nothing in this calculation is random.",
            "in both of them": "Run `gptlib.next_token_probs(logits, 2)` twice: the probabilities "
            "are exactly the same. So only the draw is left.",
        },
    ),
    # ---- Deeper ----
    "best_sentence": Question(
        'After "The dog is", greedy decoding takes the most probable token at each step. Is what '
        "it writes the most probable sentence?",
        "no",
        {
            "yes": "Look at the two marked ends of the picture: `on` is the most probable first "
            "step, but then its 0.40 is divided between two places.",
            "no": "`on` is the most probable first step, but then its 0.40 is divided between two "
            "places.",
        },
    ),
    "repeats": Question(
        "The model continues the first 7 tokens of the manual by 400 more, with greedy decoding. "
        "How many of the 400 pieces are different?",
        "fewer than 200",
        {
            "fewer than 200": "After a while the same words come again and again, so few pieces "
            "are new.",
            "200 to 300": "Look at the row `greedy` of the output, and at the end of its text: "
            "the same words come again and again.",
            "more than 300": "Look at the row `greedy` of the output. That many are different only "
            "in the other rows.",
        },
    ),
    "work": Question(
        "How many tokens go through the layers, without a cache and with one?",
        "2,080 and 64",
        {
            "2,080 and 64": "1 + 2 + ... + 64 is 64 · 65 / 2. With a cache, each token goes "
            "through once.",
            "4,096 and 64": "Count again: the text does not have 64 tokens at each step. It has 1 "
            "at the first, 2 at the second, and so on.",
            "2,080 and 2,080": "Count again, with a cache: only the newest token goes through the "
            "layers, one at each of the 64 steps.",
        },
    ),
    "broken": Question(
        "One of the four faults is not found by the first three tests (sum, end, grammar). Which?",
        "same seed",
        {
            "hot": "Look at its row of the output: none of its stories is possible, so the grammar "
            "finds it.",
            "not divided": "Look at its row of the output: the sum is 0.90, and not all stories "
            "are possible.",
            "never read": "Look at its row of the output: no story ends, and none is possible.",
            "same seed": "Each story alone is right. Only many stories together show the fault.",
        },
    ),
}

HINTS = {
    "temperature": (
        "Look at the formula in By hand: is the division before softmax or after it?",
        "Dividing works for every temperature but 0. What happens to the probabilities if the "
        "temperature is very close to 0, such as 0.000001?",
        "So a tiny number may take the place of 0. Python's `max` returns the larger one of two "
        "numbers.",
    ),
    "top_k": (
        "Sort, and take the first k of the indices: the ids that stay. What happens if k is "
        "larger than the number of tokens?",
        "`kept` has only zeros. At which ids does it need a probability, and which one?",
        "Probabilities have to sum to 1, and some of them are missing now.",
    ),
    "best": (
        "Let the function call itself. Which shorter question would give you the answer for one "
        "next token?",
        "The best sentence that begins with this token has two factors: the token's own "
        "probability, and that of the best sentence after it. When is the second one 1?",
        "Compare the products of all the tokens in the row before you return.",
    ),
    "one_more": (
        "Which three vectors does the new token need, and which two of them are needed later too?",
        "`torch.cat` joins matrices one below the other; a vector `k` becomes a matrix with one "
        "row by `k[None]`.",
        "Then it is one row of attention (lesson 03): the scores of all S + 1 keys, divided by the "
        "root of hs, their softmax, the weighted sum of the values.",
    ),
}
