"""Text that tokenizers disagree about: written for this, in many scripts and with odd signs.

Only code points that have had a meaning since Unicode 14: of newer ones each library thinks what
its own tables say.
"""

FAMILY = "👩\u200d👩\u200d👧\u200d👦"  # four people and joiners

PASSAGES = {
    "contractions": "It's he'll we've I'm they're you'd can't o'clock 'tis y'all'd've rock'n'roll "
    "IT'S HE'LL it’s 's't're've'm'll'd ''s '' ' s 'S 're-do dogs' x's's",
    "spaces": "a b  c   d    e \n f\n\ng\n \nh\r\ni\r\n\r\nj\tk\t\tl \t m  \n\n\n   n   ",
    "odd spaces": "a\u00a0b\u00a0\u00a0c\u2003d\u2009e\u202ff\u3000g\u3000\u3000h\u1680i\u0085j"
    "\u2028k\u2029l\x0bm\x0cn\u200bo\ufeffp\u2060q \u00a0 r\u00a0 \u00a0s",
    "control characters": "".join(map(chr, (*range(32), *range(127, 160)))),
    "numbers": "0 1 12 123 1234567890 3.14 -7 +1e-9 0x1F 1,000,000 12:30 5% $9.99 1/2 ½ "
    "x² Ⅳ ① \u0663\u0664 ४५ 三十 10th 2nd7 B2B 1×10³",
    "code": "def f(x: int) -> str:\n    return f'{x:>8_}'  # {\"a\": [1, 2], 'b': None}\n\n\n"
    "\tfor (int i = 0; i < n; ++i) { a[i] &= ~(1 << i); }\n</div><!-- ... -->\\n\\t%s&amp;"
    "`~!@#$%^&*()_+-={}|[]\\:\";'<>?,./ camelCaseAndSNAKE_CASE __init__ a.b.c() => != === ::",
    "Latin": "naïve café Straße Łódź İstanbul Ångström "
    "Œuvre ﬁn ẞ ǅ ªº tiếng Việt",
    "combining marks": "e\u0301 n\u0303 a\u030a\u0323 Z\u0351\u036b\u0343a\u0316\u0317l g\u0308o "
    "\u0301alone 1\u0301 !\u0308 क\u094dष\u093f ท\u0e35\u0e48 각",
    "Greek, Cyrillic": "Η γάτα κοιμάτα"
    "ι. Кошка спит, а пёс "
    "нет! Їжак",
    "right to left": "\u05d4\u05d7\u05ea\u05d5\u05dc \u05d9\u05e9\u05df. \u0627\u0644\u0642\u0637"
    "\u0629 \u0646\u0627\u0626\u0645\u0629، ۱۲ \u200f\u202babc\u202c \u067e\u0686",
    "South Asia": "ब\u093fल\u094dल\u0940 स\u094b रह\u0940 ह\u0948"
    "। ப\u0bc2ன\u0bc8 ప\u0c3fల\u0c4dల\u0c3f ব\u09bfড\u09bc",
    "East Asia": "猫が眠っている。ネコ！ 猫在"
    "睡觉，狗？ 고양이가 잔다 ＡＢ１ ｶ"
    "ﾞ 𠀀𪛖 㐀",
    "others": "መገን კატა Կատու ᎠᎶ"
    " ᐁᐃ ច\u17d2ម\u17b6 བ\u0f7cད 𐌰𐌱 𒀀 "
    "𝐀𝟘 🅐",
    "emoji": f"{FAMILY} 🏳\ufe0f\u200d🌈 🤷🏽\u200d♀\ufe0f 1\ufe0f"
    f"\u20e3 🇩🇪🇫🇷 ❤\ufe0f❤ :-) {FAMILY}{FAMILY}x"
    "🐈\u200d⬛7 🏴\U000e0067\U000e0062\U000e007f",
    "signs": "“quoted” ‘so’ — – … «» €£¥ "
    "©™ ∀x∈ℝ: x≥−∞ →⇒ █░ ♫ \ufffd \ue000",
    "edges": "\x00\u07ff\u0800\uffff𐀀\U0010ffff \u0300 \ud7ff \ufdd0",
    "long": "a" * 200 + " " * 200 + "!" * 200 + "\n" * 70 + "7" * 100 + "ha" * 90 + "日" * 60
    + " 日 " + "=-" * 70 + "The" * 50 + "\t" * 66 + "x",
    "almost special": "<|endoftext| > <|endoftext |> <|endoftext| <endoftext|> |endoftext| <||>"
    "<|ENDOFTEXT|> <|end\u200boftext|>",
}  # fmt: skip
DIFFICULT = [*PASSAGES.values(), "".join(PASSAGES.values()), "\n\n".join(PASSAGES.values())]
