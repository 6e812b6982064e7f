"""Lesson 05's questions and hints. `tests/test_teaching_logits.py` holds their numbers true."""

from .questions import Question

QUESTIONS = {
    "stream": Question(
        "What does a layer do with the vector that it reads?",
        "it adds to it",
        {
            "it puts another in its place": "Look at station 4 of lesson 00: out = in + attention "
            "+ feedforward. Lesson 04 took the two additions away, and what was read was left.",
            "it adds to it": "So the last layer still holds what the embeddings put in. Today it "
            "is read.",
            "it normalises it": "In lesson 04 the layer norm makes a copy for attention or "
            "feedforward to read. The stream itself goes on as it was.",
        },
    ),
    "alone": Question(
        "We change the vector at the first position. Which outputs of a feedforward part change?",
        "only that at the first position",
        {
            "only that at the first position": "It works on each position alone. Attention is "
            "the one that looks at others.",
            "all of them: it mixes the tokens": "Lesson 04 changed one position and looked: the "
            "other outputs of the feedforward part stayed as they were.",
            "that and all later ones": "That is attention, in lesson 03. Lesson 04 changed one "
            "position and the feedforward part's other outputs stayed as they were.",
        },
    ),
    "shares": Question(
        "The four logits are 2.485, 1.792, 0 and 0. What will softmax make of them?",
        "each word gets something, and sleeping twice as much as on",
        {
            "sleeping gets 1 and the others 0, since the largest wins": "Look at the "
            "output: `on` has 0.300. Softmax does not pick. Picking is lesson 07.",
            "each word gets something, and sleeping twice as much as on": "The difference of the "
            "two logits is 0.693, and e to that is 2.",
            "sleeping gets 0.58, on 0.42, happy and running 0: in proportion": "Look at the "
            "output: `happy` has the logit 0 and still 0.050. It is e^0 = 1 that counts, not 0.",
        },
    ),
    "rows": Question(
        "The logits have the shape (3, 397): one row a token. What are the first two rows for?",
        "each predicts the token after its own",
        {
            "nothing: only the last row predicts": "Look at the output: the first two rows are "
            "as near to the truth as the last. Training learns from every row.",
            "each says how well its own token fits": "Look at the output: the row of `The` has "
            "`␣cat` on top. It looks ahead, not at itself.",
            "each predicts the token after its own": "Three questions are answered at once. To go "
            "on writing one needs only the last.",
        },
    ),
    "logit_value": Question(
        "After `The cat is` the truth for `sleeping` is 0.60, and ln 0.60 = -0.51. What will its "
        "logit be in the trained model?",
        "that cannot be told from 0.60",
        {
            "about -0.51, the logarithm of 0.60": "Look at the first column of the output: it is "
            "far above 0, and no probability has a logarithm above 0.",
            "that cannot be told from 0.60": "Softmax sees differences only. Any "
            "number may be added to all.",
            "between 0 and 1, near 0.60": "Look at the first column of the output: it is far "
            "above 1. Only after softmax are the numbers between 0 and 1.",
        },
    ),
    "lens": Question(
        "Before the first layer the stream holds only the embeddings of `␣is`. The head makes "
        "logits of it at once. Which word will be on top?",
        "`␣is`: the word itself",
        {
            "none: all 397 are about alike": "Look at the lowest row of the picture: it is almost "
            "certain. The head knows this vector well, it is a row of its own table.",
            "`␣is`: the word itself": "The table that wrote the vector is the table that reads it.",
            "`␣sleeping`, but less surely": "Look at the lowest row of the picture: nothing "
            "there has looked at `␣cat` yet. That is what the layers are for.",
        },
    ),
    "flip": Question(
        "We tell half as many stories of sleeping cats, and each story of a cat `on` something "
        "twice. The trained model reads on for 100 steps. P(sleeping) after `The cat is` will",
        "fall to about 0.30",
        {
            "stay near 0.60, as it has learned that cats sleep": "Look at the column of sleeping "
            "in the output. It has learned how often a word follows, and that has changed.",
            "fall to about 0.30": "And `on` rises to about 0.60. The model follows what it reads.",
            "fall to about 0, since the new stories contradict it": "Look at the column of "
            "sleeping in the output. The stories still tell of sleeping cats, half as often.",
        },
    ),
    "twice": Question(
        "The trained model learns on for 100 steps with two softmaxes. Its text is greedy: "
        "always the most probable token. What will show that something is wrong?",
        "loss and probabilities, but not the greedy text",
        {
            "only the greedy text: it turns to nonsense": "Look at the end of each line in the "
            "output: the text is what it was, word for word. The order of the tokens stays.",
            "loss and probabilities, but not the greedy text": "So read the loss, and read P.",
            "nothing: probabilities stay probabilities": "Compare the two losses in the output. "
            "397 numbers between 0 and 1, taken for logits, are nearly all alike.",
        },
    ),
    "exit": Question(
        "In one model, at one place, the logit of `on` is 9. What does that tell?",
        "nothing yet: its distance to the other logits counts",
        {
            "nothing yet: its distance to the other logits counts": "Add 7 to all, and it is 16, "
            "with the same probability.",
            "that the model holds `on` for very likely, as 9 is high": "Run `gptlib.softmax(torch"
            ".tensor([9.0, 19.0]))`: 9 is high, and its probability is 0.00005.",
        },
    ),
}

HINTS = {
    "softmax": (
        "Which numbers should sum to 1: a row, a column, or all? And which axis is that?",
        "`powers.sum(-1)` has lost the last axis. `keepdim=True` keeps it, with length 1, so that "
        "each row is divided by its own sum.",
    ),
    "log_softmax": (
        "Blank 1: `logits.amax(dim=-1, keepdim=True)`. One number a row, shape (..., 1).",
        "Blank 2: `logits - top`. The largest is 0 now, the others below: no power is above 1.",
        "Blank 3: ln(a / b) = ln a - ln b. Here a is e^shifted, so ln a is `shifted`; b is the "
        "sum of a row of `torch.exp(shifted)`.",
    ),
    "recover": (
        "What undoes e to the power? Try it on (0.6, 0.3, 0.05, 0.05), and take softmax of it.",
        "Now one number may be added to each row. First make the largest 0, as in exercise 2. "
        "Then it is easily made `top`.",
        "`torch.log` gives minus infinity for 0, and that is right: e to that is 0 again. Do not "
        "put anything in its place.",
    ),
}
