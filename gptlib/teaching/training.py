"""Lesson 06's questions and hints. `tests/teaching/test_training.py` holds their numbers."""

from .questions import Question

QUESTIONS = {
    # ---- The lesson ----
    "how_many": Question(
        'The model reads "The cat is". How many probability distributions does it compute?',
        "three, one at each token",
        {
            "one, after the last token": "Look at the shape of the logits in lesson 05: (T, V), "
            "one row for each token. Generation uses only the last row. Training uses all of them.",
            "three, one at each token": "Today each of them has a target and a loss.",
            "397, one for each possible token": "397 is the length of a row. Look at the shape of "
            "the logits in lesson 05: (T, V), and here T is 3.",
        },
    ),
    "end_loss": Question(
        "A new model's loss is about ln 397 = 5.98. We train it on 400 such batches. Near which "
        "value will its loss end?",
        "0.5, since chance remains",
        {
            "0, since it learns the text": "Run the cell that comes after the curve: the truth "
            "itself has a loss of 0.51. Which word comes next is partly chance, and training "
            "cannot predict it.",
            "0.5, since chance remains": "The model comes close to the true probabilities, and "
            "what is left is chance.",
            "3, since half is chance": "Look at the curve at step 100: it is far below 3 "
            "already. Which word comes is chance, but how often each one comes can be learned.",
        },
    ),
    "two_losses": Question(
        "What will the training loss and the held-out loss do in these 300 steps?",
        "training falls, held-out rises in the end",
        {
            "both fall to just above the truth's": "Look at the picture: the training loss ends "
            "far below the dashed line, and the held-out loss far above it.",
            "training falls, held-out rises in the end": "The training loss falls as the model "
            "memorises its text. That doesn't help with other stories, and its loss on them rises.",
            "held-out falls, training rises in the end": "Look at the picture: it is the other way "
            "round. Training lowers the loss of the stories that it sees.",
            "both fall far below the truth's": "Look at the held-out loss in the picture: it does "
            "not come down to the dashed line.",
        },
    ),
    "exit": Question(
        "Two models are trained on a book. Training losses: the first has 2.9, the second 1.1. "
        "Held-out losses: the first has 3.0, the second 4.2. Which one will probably be better on "
        "a new chapter?",
        "the first",
        {
            "the first": "A new chapter is text that neither has seen, like the held-out text. "
            "The second has memorised: see the gap of 3.1 between its two losses.",
            "the second": "Look at the picture of the small text again: the training loss kept "
            "falling while the held-out loss rose. The second model is further along on the same "
            "path.",
        },
    ),
    # ---- Deeper ----
    "fifty": Question(
        "What probability will the model then give to `sleeping` after `The cat is`?",
        "about 0.50",
        {
            "about 0.60": "Look at the output: the new stories pushed it away from there. The "
            "model keeps no right answer, only what its text makes it say.",
            "about 0.50": "In the new stories the pushes cancel there: 50 (1 - p) = 50 p.",
            "about 0.55": "Look at the output. The loss contains the new stories only, and for "
            "these 0.50 is best. The old ones don't count any more.",
        },
    ),
    "momentum": Question(
        "Plain SGD gets momentum and nothing else. How much of AdamW's lead over plain SGD does "
        "this gain? Take each kind at its best learning rate.",
        "about three quarters",
        {
            "less than a quarter": "Look at the percentages in the output. Plain SGD with "
            "momentum alone comes most of the way to AdamW.",
            "about three quarters": "The division alone gains about as much. Much of what one of "
            "them gains, the other gains too.",
            "practically all of it": "Compare the lowest losses in the rows `with_momentum` and "
            "`adamw`: AdamW is lower. Division adds to it.",
        },
    ),
    "broken": Question(
        "How many of the three broken loops still bring their own training loss near 0?",
        "two of them",
        {
            "none of them": "Look at the column of training losses: two of them are 0.00. These "
            "models learn, though not what we want.",
            "two of them": "So a low training loss proves little. The loss on fresh stories shows "
            "all three faults.",
            "all of them": "Look at the column of training losses: without `zero_grad` it is far "
            "above 0, and above that of the good loop.",
        },
    ),
    "lower": Question(
        "Without the mask, the loss on whole fresh rows comes out far below the floor. Why?",
        "the model sees the answers",
        {
            "it is the best model so far": "Compare the two columns: with only the past, it is "
            "much worse than the model with its mask.",
            "the floor was too high": "Look at the rows with the mask: their losses are above the "
            "floor. And no model without the answers can be expected to get below it.",
            "the model sees the answers": "Each target is the next token of the row, and without "
            "a mask attention can read it there.",
        },
    ),
}

HINTS = {
    "nll": (
        "On paper, with two rows of four log-probabilities: which number of the first row counts, "
        "and which of the second?",
        "One list of row numbers and one list of column numbers pick one number from each row: "
        "`table[rows, columns]`. The columns are the targets. What are the rows?",
        "All these numbers are below 0 (or equal to it), and a loss is not.",
    ),
    "gradient": (
        "Start with the probabilities, (T, V). In each row only one of them has to change.",
        "In row t it is the column `targets[t]`. `p[:, targets]` would take all these columns in "
        "every row.",
        "The loss is the mean over T rows. If one of its T parts grows by 1, by how much does the "
        "mean grow?",
    ),
    "train": (
        "What does each call need, and which call makes that? This gives most of the order.",
        "A call that adds to something, and a call that clears it: where may the clearing be, and "
        "where would it undo what the step still needs?",
        "Leave out one call at a time, on paper: what would happen without `zero_grad`, and what "
        "if each step took the same batch?",
    ),
}
