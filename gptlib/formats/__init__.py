"""Files as the world writes them: safetensors, Hugging Face's GPT-2, tokenizers, downloads.

Only plain data passes here. What the data means is for the modules above to say.
"""
