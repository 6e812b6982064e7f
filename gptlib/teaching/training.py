"""Lesson 06's questions and hints. Numbers are held to by `tests/test_teaching_training.py`."""

from .questions import Question

QUESTIONS = {
    "add_seven": Question(
        "To each of the 397 logits 7 is added. The probabilities",
        "stay as they are",
        {
            "all grow": "They sum to 1 as before, so they cannot all grow. Look at `+ c` in the "
            "explorer of lesson 05: the bars stay.",
            "stay as they are": "Softmax looks at differences only.",
            "grow for the largest logit only": "Look at `+ c` in the explorer of lesson 05: every "
            "power is multiplied by e^7, their sum too, and the shares stay.",
        },
    ),
    "how_many": Question(
        'The model is given "The cat is". How many distributions come out?',
        "three: one after each token",
        {
            "one: after the last token": "Look at the rows 0, 1 and 2 that lesson 05 printed. "
            "When text is written, only the last is used. Today all are.",
            "three: one after each token": "Today each of them gets a loss.",
            "397: one for each token": "397 is how long each of them is: in lesson 05 the logits "
            "are a table (T, V), and T is 3.",
        },
    ),
    "examples": Question(
        "The model is to learn from `The cat is sleeping.`, which is five tokens. "
        "How many examples are in it?",
        "four",
        {
            "one": "Count the arrows: there are four. Each token but the first is an "
            "answer, to the question of what follows all those before it.",
            "two": "Count the arrows: there are four, one wherever a token follows.",
            "four": "At each token but the last, the model is asked what follows.",
            "five": "Count the arrows: after the full stop nothing comes, so there is nothing to "
            "learn from it.",
        },
    ),
    "floor": Question(
        "We train for 800 steps. Where will the loss on held-out stories end?",
        "a little above 0.47",
        {
            "near 0: it knows the stories then": "Look at the picture: the dots come down to "
            "the dashed line and no further. Which word comes is chance, and nobody can know it.",
            "a little above 0.47": "The floor is what is left when the true probabilities are "
            "known. Only chance is left.",
            "near 0.97, the entropy of the four words": "Look at the picture: it goes far below. "
            "After most tokens there is less choice than after `The cat is`: often there is none.",
            "near 5.5: words cannot be foretold": "Look at the picture: after 100 steps it is far "
            "below that already. Which word comes is chance, how often is not.",
        },
    ),
    "fifty": Question(
        "As in lesson 05 we train on with other stories, this time your model: after `The cat is`, "
        "`sleeping` and `on` come equally often. What will it say of `sleeping`?",
        "about 0.50",
        {
            "about 0.60: it has learned that": "Look at the output: the new stories count. It "
            "keeps no answer, only frequencies.",
            "about 0.50": "It says what the stories say. That is all it knows.",
            "about 0.55: the middle of both": "Look at the output: the loss is about the new "
            "stories alone, and there 0.50 is best.",
        },
    ),
    "broken": Question(
        "Three broken loops: the targets are not shifted; `zero_grad` is missing; one sentence is "
        "the whole corpus. In which will the loss on the training text come below the floor?",
        "not shifted, and one sentence",
        {
            "in none: a broken loop does not learn": "Look at the column of training losses: two "
            "are nearly 0. They learn, though not what we wanted.",
            "not shifted, and one sentence": "A low training loss is no proof. The held-out loss "
            "notices both.",
            "no zero_grad": "Look at the column of training losses: that one is the only one "
            "which stays high.",
            "in all three": "Look at the column of training losses: without zero_grad it stays "
            "far above the floor.",
        },
    ),
    "lower": Question(
        "We leave the mask out, as in lesson 03, and train. The loss on new stories comes below "
        "the floor. What follows?",
        "it sees what it should foretell",
        {
            "it is the best model so far": "Compare the two columns: asked with the beginning of "
            "a story only, it does far worse than the model that has its mask.",
            "the floor is not the floor": "Compare the two columns: where only the past is given, "
            "the loss is far above the floor. The floor holds for honest guesses.",
            "it sees what it should foretell": "Below the floor there is no skill, only a leak.",
        },
    ),
    "exit": Question(
        "The floor is 0.47. Model A has a training loss of 0.52 and a held-out loss of 0.49, "
        "model B of 0.08 and 0.09. Which one has learned what there is to learn?",
        "A: it is near the floor",
        {
            "A: it is near the floor": "It has the frequencies of its text, and only chance is "
            "left. B sees what it should foretell.",
            "B: its losses are lower, and near 0": "Nobody honest is below the floor. Look at the "
            "table of the leak: such a model sees what it should foretell, and with only the past "
            "its loss was above 1.",
        },
    ),
}

HINTS = {
    "nll": (
        "`log_p[t, targets[t]]` is ln p of what came at place t. All places at once: "
        "`log_p[torch.arange(len(targets)), targets]`.",
        "ln p is below 0. Turn the sign round, then `.mean()`.",
    ),
    "gradient": (
        "Blank 1: `gptlib.softmax(logits)` is p, of shape (T, V).",
        "Blank 2: take 1 off at the target of each row: "
        "`p[torch.arange(len(targets)), targets] -= 1`.",
        "Blank 3: the loss is a mean over T positions, so each has a T-th part: `len(targets)`.",
    ),
    "train": (
        "Before the loop an optimizer: `torch.optim.AdamW(model.parameters(), lr=1e-2)`.",
        "In each step: batch, loss, `zero_grad`, `backward`, `step`. Your loop above has them in "
        "this order.",
        "The batch of a step is `get_batch(tokens, 8, 64, seed=0, step=step)`, and the loss "
        "`gptlib.nll(model(x), y)`: it wants logits.",
    ),
}
