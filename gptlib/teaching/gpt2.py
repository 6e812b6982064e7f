"""Lesson 08's questions and hints. `tests/teaching/test_gpt2.py` holds their numbers true."""

from .questions import Question

QUESTIONS = {
    "runs": Question(
        "The loop of lesson 07 adds five tokens to a text. How often does it run the model?",
        "five times, once for each",
        {
            "once, for all five of them": "Look at the loop of lesson 07. The second new token "
            "depends on the first, so the first must be in the text before the model runs again.",
            "five times, once for each": "Each new token joins the text before the next one is "
            "predicted. Today we ask what one such run costs.",
            "ten times, twice for each": "Look at the loop of lesson 07. A single run gives the "
            "probabilities of the next token, and one token is drawn from them.",
        },
    ),
    "kept": Question(
        "A text that a GPT reads becomes one token longer. What happens to the keys and values of "
        "its earlier tokens?",
        "they all stay as they were",
        {
            "they all stay as they were": "The causal mask lets each token attend only to itself "
            "and to earlier tokens. So what comes later cannot change its vectors, in any layer.",
            "only those of layer 0 stay": "In lesson 03, the causal mask hid later tokens from "
            "every row of attention weights. It does so in each layer, not only in layer 0.",
            "they all change a little": "In lesson 03, the causal mask hid later tokens from every "
            "row of attention weights. So the new token cannot reach the earlier ones.",
        },
    ),
    "most": Question(
        "Which part has the most of GPT-2's 124 million parameters?",
        "feedforward",
        {
            "attention": "Compare the rows attn and mlp of the output: 22.8% and 45.5%. In each "
            "layer, attention has four matrices of size C x C, and feedforward as many as eight.",
            "tokens (`wte`)": "Compare the rows wte and mlp of the output: 31.0% and "
            "45.5%. There are 50,257 embeddings, but twelve layers of feedforward are more.",
            "feedforward": "It has 45.5%: in each layer, as many parameters as eight matrices of "
            "size C x C, and attention has four.",
            "positions (`wpe`)": "Look at the row wpe of the output: 0.6%. There are "
            "only 1,024 positions.",
        },
    ),
    "step_time": Question(
        "With a KV cache, GPT-2 computes the next token of a text of 8 tokens, and then of a text "
        "of 1,000 tokens. How much longer does the second take?",
        "less than 3 times as long",
        {
            "less than 3 times as long": "571 MB are read instead of 498 MB, which is 1.15 times "
            "as much. The measured times also depend on what else the computer does.",
            "about 125 times as long": "Compare the bytes in the output. Both times, all the "
            "weights are read, 498 MB. The keys and values of 1,000 tokens are only 74 MB.",
            "about 15,625 times as long": "This is the square of 125. But with the cache there is "
            "only one new query, and so one row of scores in each head. Compare the bytes in the "
            "output: 498 MB and 571 MB.",
        },
    ),
    "losses": Question(
        "Two models are tested on the same 1,000 stories. A has a loss of 0.13 nats per token, B "
        "one of 0.46. Their tokenizers differ. Which model is better?",
        "the two losses don't say",
        {
            "A, because its loss is lower": "Compare rows 1 and 3 of the output: 0.13 and 0.46 are "
            "losses of the same probabilities, the true ones. Only the tokenizers differ.",
            "the two losses don't say": "Rows 1 and 3 of the output have these two losses, and "
            "they come from the same probabilities, the true ones.",
            "B, because its tokens are longer": "Compare rows 1 and 3 of the output: 0.13 and 0.46 "
            "are losses of the same probabilities, the true ones, and the last column is the same.",
        },
    ),
    "exit": Question(
        "GPT-2 generates 20 tokens per second on your computer. A new processor calculates twice "
        "as fast, but it reads memory no faster. What should you expect?",
        "about 20 tokens per second",
        {
            "about 20 tokens per second": "For each token, all weights must be read from memory, "
            "and that takes as long as before.",
            "about 30 tokens per second": "Look at the formula for the time of a token: the bytes "
            "are divided by the memory bandwidth. Neither of them has changed.",
            "about 40 tokens per second": "Look at the formula for the time of a token: the bytes "
            "are divided by the memory bandwidth. How fast the processor calculates is not in it.",
        },
    ),
    "square": Question(
        "One of the four matrices in the file is square. We transpose the three others and forget "
        "this one. What happens?",
        "wrong logits, and no error",
        {
            "an error when it is loaded": "Look at the output: no error was raised. A square "
            "matrix has the same shape when it is transposed.",
            "wrong logits, and no error": "The shape fits either way, so nothing complains. Only "
            "comparing logits shows the mistake.",
            "right logits, as it is square": "Look at the last line of the output. Transposing a "
            "square matrix keeps its shape, but its rows become its columns.",
        },
    ),
    "prompt": Question(
        "Generating takes one run of the model for each token. Now GPT-2 reads a prompt of 256 "
        "tokens in a single run. How long does this take for each token of the prompt?",
        "far less than for a new token",
        {
            "far less than for a new token": "The weights are read once for all 256 tokens. Per "
            "token, what remains is mainly the arithmetic.",
            "about as long as for a new token": "Compare the two times in the output. The "
            "FLOPs per token are about the same, but the weights are read once for all 256.",
            "far more than for a new token": "Compare the two times in the output. Attention "
            "has 256 rows of scores now, but that is little beside the matrices.",
        },
    ),
    "bits": Question(
        "Every matrix of the pets model is rounded to 8 bits, which is 255 values per row. What "
        "changes, on 400 stories?",
        "the logits, by less than 0.1",
        {
            "the logits, by less than 0.1": "They move by 0.05 on average. To two digits, the "
            "loss stays the same, and so does the most probable token in 99% of the cases.",
            "the loss, by a tenth or more": "Look at the row of 8 bits and its last column: the "
            "loss is 0.46, as with 16 bits.",
            "one best token in ten": "Look at the row of 8 bits: the most probable token is the "
            "same in 99% of the cases.",
        },
    ),
    "readers": Question(
        "A server generates for 64 people at once, each with a cache of 1,024 tokens. It computes "
        "one new token for each of them. What takes most of the reading?",
        "the 64 caches, 4.8 GB",
        {
            "the weights, 0.5 GB": "Look at the row of 64 in the output: the weights are read once "
            "for everybody, but each of the 64 caches belongs to one person.",
            "the 64 caches, 4.8 GB": "The weights are shared, and are read once for everybody. The "
            "caches are not.",
            "weights 64 times, 32 GB": "Look at the row of 64 in the output. All 64 new tokens go "
            "through a layer together, so its weights are read once.",
        },
    ),
    "bigger": Question(
        "On stories about pets, which model has the lower loss per byte: the pets model with "
        "129,600 parameters, or this one with 124,439,808?",
        "the pets model",
        {
            "the pets model": "It was trained on such stories. Neither GPT-2's own weights nor "
            "random ones were.",
            "the large model": "Compare the two rows of the first text in the output. Parameters "
            "help only as far as they have been trained, and on which text matters, too.",
            "both have the same": "Compare the two rows of the first text in the output. The code "
            "is the same, but the numbers in it are not.",
        },
    ),
}

HINTS = {
    "count": (
        "How many matrices does feedforward have in a layer, and what are their shapes?",
        "Each of the two has a bias, with one number for each output. One of them has 4C outputs. "
        "How many has the other?",
        "Try your sum on paper: for C = 2 and one layer it should be 42. And for `n_layer` layers?",
    ),
    "cost": (
        "Blank 1: how many numbers does one token add to the cache of one layer? Then think of all "
        "layers, all tokens, and 4 bytes per number.",
        "Blank 2: what is read from memory for one new token? The weights are 4 bytes each, too.",
        "Blank 3: how often is each number of the weights used for the new token, and each number "
        "of the cache? How many numbers does the cache have, not counted in bytes?",
    ),
    "read": (
        "Some files begin every name with `transformer.`, some don't: `str.removeprefix` handles "
        "both. Which of the names then belong to layer 1? Be careful with layer 10.",
        "Two names must be left out, `attn.bias` and `attn.masked_bias`. Why is "
        '`name.endswith("attn.bias")` too much? Look at `attn.c_attn.bias`.',
        "Which tensors of a layer have two axes? All of these, the square one too, are stored as "
        "(in, out).",
    ),
}
