"""Lesson 08's questions and hints. `tests/test_teaching_gpt2.py` holds to their numbers."""

from .questions import Question

QUESTIONS = {
    "heat": Question(
        'At temperature 2 instead of 1, which token is the most probable after "The cat is"?',
        "sleeping, with less than before",
        {
            "on: heat prefers the second": "Look at lesson 07's picture of several temperatures: "
            "the bar of `sleeping` is the longest in each.",
            "sleeping, with less than before": "All logits are divided by the same number: the "
            "order stays, the gaps shrink.",
            "another one each time: heat is chance": "Look at the two seeds in lesson 07: p was "
            "the same to the last digit. Chance comes in with the draw.",
        },
    ),
    "cache_text": Question(
        "We generate with the KV cache, and again without, with the same seed. The texts are",
        "the same, and the first was faster",
        {
            "different: the cache remembers what was meant": "Look at lesson 07 again: the cache "
            "holds keys and values of the tokens so far, which would come out the same again.",
            "alike, but the cache is less exact": "Look at lesson 07 again: the same ids came, "
            "token by token. Nothing is left out.",
            "the same, and the first was faster": "What was computed once is kept. How much faster "
            "is measured today.",
        },
    ),
    "architecture": Question(
        "What must we change in `gptlib.GPT`, the model of the lessons, to get GPT-2?",
        "five numbers of its config",
        {
            "its attention: a large model needs another kind": "Look at the output: a block of "
            "GPT-2 has the same 12 tensors by the same names, and the same modules.",
            "five numbers of its config": "Vocabulary, block size, layers, heads, width. The code "
            "is the one you have built.",
            "its code: GPT-2 has parts that the lessons left out": "Look at the output: both lists "
            "of modules are equal. No part is new, and the layout of GPT-2's own file fits.",
        },
    ),
    "most": Question(
        "Which part has the largest share of GPT-2's 124 million parameters?",
        "feedforward",
        {
            "attention": "Look at the output: attention has 23%, and feedforward has twice as "
            "much. Per layer it is 4 C² against 8 C².",
            "the token table": "Look at the output: 31%. Much, with 50,257 tokens; but twelve "
            "layers of feedforward are more.",
            "feedforward": "46%. Each layer has 8 C² there, and 4 C² in attention.",
            "the place table, for 1,024 places": "Look at the output: 0.6%. A place has one row "
            "of 768, and there are only 1,024 of them.",
        },
    ),
    "step_time": Question(
        "With the cache, GPT-2 computes the next token after 8 tokens, and again after 256. How "
        "much longer does the second take?",
        "hardly longer",
        {
            "32 times: it has 32 times as much to read": "Look at the first column of times. The "
            "old tokens do not go through the layers again; their keys and values are there.",
            "hardly longer": "Both times all the weights are read, 498 MB. The cache of 256 tokens "
            "is 19 MB more.",
            "1,024 times: attention is quadratic": "Look at the first column of times. One new "
            "query meets 256 keys: one row of scores, not a square.",
        },
    ),
    "losses": Question(
        "Model A has a loss of 0.13 nats a token, model B one of 0.46, on the same stories. They "
        "have different tokenizers. Which one is better?",
        "that cannot be said from these",
        {
            "A: lower is better": "Look at the output: both numbers belong to the same predictor, "
            "the truth itself. A's tokens are single bytes.",
            "that cannot be said from these": "A loss per token depends on what a token is. "
            "Compare per byte of text.",
            "B: its tokens are larger, so its task is harder": "Look at the last column of the "
            "output: per byte, the two are the same.",
        },
    ),
    "bigger": Question(
        "On the stories about pets, which is less surprised per byte of text: the pets model with "
        "129,600 parameters, or this one with 124,439,808?",
        "the small one",
        {
            "the large one: it has a thousand times as many": "Look at the output. Size is room; "
            "what fills it is training, on other texts or on none.",
            "the small one": "It was trained on these stories. A shape alone knows nothing, and "
            "GPT-2's own weights come from web pages.",
            "both the same: both are GPTs": "Look at the output. The same code can hold different "
            "numbers.",
        },
    ),
    "bits": Question(
        "We round every matrix of the pets model to 8 bits, 255 values a row, a quarter of the "
        "memory. What notices first?",
        "the logits, in the second digit behind the point",
        {
            "the loss: it rises by a tenth or more": "Look at the last column of the output: at 8 "
            "bits the loss is 0.46 as before.",
            "the best token: one in ten is another": "Look at the column of the best token: at 8 "
            "bits it is the same in 99%.",
            "the logits, in the second digit behind the point": "The logits moved by 0.05 on "
            "average, and the loss did not notice.",
            "nothing at all: 8 bits are enough for every weight": "Look at the first column of the "
            "output: the logits did move. They did not move the loss.",
        },
    ),
    "exit": Question(
        "What makes GPT-2 differ from the model of the lessons?",
        "its size, its texts, and so its numbers",
        {
            "its size, its texts, and so its numbers": "The modules are the same. That is why all "
            "you know of the small one holds of the large one.",
            "its architecture": "Look at the list of modules again: no difference. Five numbers in "
            "a config make the one or the other.",
        },
    ),
}

HINTS = {
    "count": (
        "Two matrices: one from C to 4C, one back. How many numbers each?",
        "Each has a bias: as many numbers as its output has. The first has 4C of them.",
        "And all of it once a layer: `n_layer * (...)`.",
    ),
    "cost": (
        "Blank 1: each layer keeps, for each token, a key and a value of n_embd numbers, 4 bytes "
        "each.",
        "Blank 2: bytes over bytes a second. All weights are read (4 bytes each), and the cache.",
        "Blank 3: one new token, and for each parameter a multiplication and an addition.",
    ),
    "read": (
        'First `name = name.removeprefix("transformer.")`, since some files have it and some do '
        'not. Then keep what starts with `f"h.{i}."`: with the last dot, or layer 1 takes 10 too.',
        "Leave out exactly two names: `attn.bias` and `attn.masked_bias`, which are the mask. "
        "`attn.c_attn.bias` is a real one.",
        "All that has two axes is one of the four matrices: `tensor.T if tensor.ndim == 2`. One "
        "of them is square: no error would tell.",
    ),
}
