"""Lesson 07's questions and hints. Numbers are held to by `tests/test_teaching_sampling.py`."""

from .questions import Question

QUESTIONS = {
    "who_said_so": Question(
        'Who told the model of lesson 06 that after "The cat is" `sleeping` has 0.60?',
        "nobody: it was in the stories, as a share",
        {
            "the loss: the true probabilities are its targets": "Look at the targets of lesson 06: "
            "each is one id, the token that really came. Never a probability.",
            "nobody: it was in the stories, as a share": "Each story pushed one token up and all "
            "others down; where the pushes cancel, the share is met.",
            "the programmer: it is where training starts": "Look at the first column of lesson "
            "06's picture: before training all tokens are nearly equal.",
        },
    ),
    "never_zero": Question(
        'With the exact truth in its hand, what is the mean surprise after "The cat is"?',
        "0.967 nats",
        {
            "0 nats: who knows the truth is never surprised": "Look at the floor line of lesson "
            "06. The truth is 0.60, not 1: what comes is open, and surprises a little each time.",
            "0.967 nats": "The floor: .6 × .511 + .3 × 1.204 + 2 × .05 × 2.996. The chance that "
            "is left is what we draw from today.",
            "5.98 nats: ln of 397 tokens": "Look at the top line of lesson 06's picture: ln V is "
            "for one who knows nothing.",
        },
    ),
    "noise": Question(
        "We compute the probabilities at temperature 2 with seed 1, and again with seed 2. "
        "P(sleeping) will",
        "be the same to the last digit",
        {
            "differ a little: temperature adds noise": "Compare the first numbers of the two rows: "
            "the same. There is no chance in a division. Only the words behind it differ.",
            "be the same to the last digit": "p is calculated. The seed is for the draw alone.",
            "differ each time, but be right on average": "Compare the first numbers of the two "
            "rows. It is the share of words drawn that is only right on average.",
        },
    ),
    "ranking": Question(
        'At temperature 5, which token is the most probable after "The cat is"?',
        "sleeping, as before",
        {
            "none: all tokens are equal now": "Look at the picture: low bars, but still in order. "
            "They would be equal only at an endless temperature.",
            "sleeping, as before": "Dividing all logits by the same number keeps their order.",
            "another one: heat favours the unlikely": "Look at the picture: in every colour the "
            "bar of sleeping is the longest. Heat takes from the likely, and overtakes nobody.",
        },
    ),
    "greedy": Question(
        'Greedy takes the most probable token each time. After "The dog is", does it find the '
        "most probable sentence?",
        "no: another sentence is likelier",
        {
            "yes: the best steps make the best whole": "Look at the two marked ends of the "
            "picture: `on` wins the first step, and then has to share with two places.",
            "it depends on the seed": "Run `gptlib.generate` with temperature 0 and any seed: "
            "greedy draws nothing, so it always writes the same.",
            "no: another sentence is likelier": "`on` is the best first step, and its 0.40 is then "
            "split between two places.",
        },
    ),
    "plans": Question(
        "The model has just drawn `␣on`. Does it know already on what the dog will be?",
        "no: the place gets its own p, from the text so far",
        {
            "yes: it chose `on` because it had the bed in mind": "The output says that a fresh "
            "start from the bare text gives the same p at each token. No intention was kept.",
            "yes: the cache remembers what it is up to": "The output says that without a cache the "
            "same ids come. It keeps what was computed of the past, to save time.",
            "no: the place gets its own p, from the text so far": "All that goes from one round "
            "to the next is the list of ids.",
        },
    ),
    "broken": Question(
        "Three samplers are broken. For which of them is the sum of p enough to see it, without "
        "one story?",
        "top-k that does not divide anew",
        {
            "top-k that does not divide anew": "0.90. Nothing else here changes a sum.",
            "temperature 5 with no top-k or top-p": "Look at the output, in the row of T = 5: the "
            "sum is 1.00. It is a fine distribution, of the wrong words.",
            "the new token is never read": "Look at the output, in its row: the sum is 1.00. Each "
            "p is right, for the text that was read.",
        },
    ),
    "exit": Question(
        "At temperature 2 the model writes an odd sentence. Where did chance come in?",
        "in the draw: p itself is calculated",
        {
            "in the temperature: it adds noise to p": "Compare the two seeds once more, after the "
            "first prediction: p was the same to the last digit, and the words were not.",
            "in the draw: p itself is calculated": "Temperature made the odd word likelier; the "
            "draw took it.",
        },
    ),
}

HINTS = {
    "bend": (
        "Softmax of what? Look at By hand: squaring p is doubling its logarithm.",
        "`scaled = logits / temperature` is right for every temperature but one.",
        "Greedy is what a tiny temperature gives: `logits / max(temperature, 1e-6)`.",
    ),
    "top_k": (
        "Blank 1: `probs.sort(descending=True, stable=True).indices`. Stable: equals stay in the "
        "order they had, the smaller id first.",
        "Blank 2: choose places, not values: `kept[ids[:k]] = probs[ids[:k]]`.",
        "Blank 3: `return kept / kept.sum()`.",
    ),
    "best": (
        "A function that calls itself: the best sentence from `prefix` is the best over all tokens "
        "of (p of the token) × (the best that follows it).",
        'Where it ends: for the token `"."` nothing follows, and the rest has probability 1.',
        "In the loop: `rest, q = best_sentence(table, prefix + token)`, and compare `p * q` with "
        "the best so far. `return` stands behind the loop.",
    ),
    "capstone": (
        "Copy each answer of yours, with what it calls, into a cell above, run it, and put its "
        "name behind the `=`. Train on rows of `model.config.block_size`, where 06 had 8.",
        "`my_sampler(logits, temperature, top_k, top_p)` is `bend`, then `keep_top_k` where top_k "
        "is not None.",
        "One at a time: with one of your parts in, run on to the check; then the next.",
    ),
}
