"""The field's own names for what each lesson teaches.

A lesson has each in bold, where it explains it, and the glossary has it too. Other forms of a
name are divided by a bar.
"""

TERMS = {
    "00": """GPT; generative pretrained transformer; decoder-only; training; inference;
        autoregressive; next-token prediction""",
    "01": """token; id; vocabulary; subword; byte pair encoding | BPE; merge; byte-level; UTF-8;
        special token; end-of-sequence token""",
    "02": """token embedding | word embedding; embedding matrix; dimension; 768; positional
        encoding; learned; sinusoidal; context length; cosine similarity""",
    "03": """self-attention; query; key; value; linear projection; scaled dot product; causal mask;
        autoregressive mask; softmax; attention weights; head; multi-head attention; output
        projection""",
    "04": """feedforward network; multilayer perceptron | MLP; linear layer; fully connected;
        dense; activation function; nonlinearity; ReLU; GELU; residual connection | residual
        connections; layer normalisation; pre-norm; transformer block""",
    "05": """logits; linear layer; unembedding; language-model head; weight tying; softmax;
        probability distribution; log-probabilities | log-probability; numerical stability |
        numerically stable""",
    "06": """likelihood; maximum likelihood; negative log likelihood; cross-entropy; loss;
        gradient; backpropagation; stochastic gradient descent; learning rate; optimizer; epoch;
        batch; perplexity; entropy; KL divergence; overfitting; held-out; validation; teacher
        forcing""",
    "07": """decoding; greedy decoding; deterministic; sampling; stochastic decoding; temperature;
        top-k; top-p; autoregressive generation; stopping criterion; KV cache; beam search""",
    "08": """parameters; FLOPs; memory bandwidth; quantisation""",
}

LABELS = {  # in bold, and no term of the field
    *("compare", "commit", "exercise", "to go on", "on paper", "the machine"),
    *("text", "attention", "feedforward", "play", "run", "reset"),  # 00: stations and buttons
    "a probability for every token",
    "find out",  # 01
    *("768 in gpt-2 small", "learned", "a direction can carry meaning"),  # 02
    *("output", "the network", "draw 1,000"),  # 03, 04, 07
    *("loss given the prefix only", "stories that fit the grammar"),  # the appendix
    *("without residual connections", "top-2 without renormalising"),
    "without the rule",  # 01
    *("at once", "prefix only"),  # 03
    *("p − onehot", "division", "whole row", "only the past"),  # 06
    *("the time", "hot", "not divided", "never read", "same seed"),  # 07
}


def terms_of(lesson: str) -> list[list[str]]:
    """[[a name, other forms of it, ...], ...] of a lesson."""
    listed = " ".join(TERMS[lesson].split()).split("; ")
    return [term.lower().split(" | ") for term in listed]
