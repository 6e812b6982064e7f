"""gptlib.widgets.sampling: the studio shows and draws what gptlib computes, and nothing else."""

import pytest
import torch
from explorers import HOSTILE, Names, check_names, elements, text_of
from hypothesis import given, settings
from hypothesis import strategies as st

import gptlib
from gptlib.corpora import pets as grammar
from gptlib.widgets import bars, sampling_studio, svg
from gptlib.widgets.bars import Bar
from gptlib.widgets.sampling import MANY, RUN, studio_svg
from gptlib.widgets.sentence import Word
from gptlib.widgets.truth import true_tokens

TRUE = {"sleeping": 0.60, "on": 0.30, "happy": 0.05, "running": 0.05}


@pytest.fixture
def studio(pets):
    return sampling_studio(*pets, truth=grammar.next_words)


def numbers(studio):
    """{token: its numbers} from the picture: the rows come one after another."""
    shown, rows = {}, studio.rows()
    words = iter(text_of(studio.picture.value))
    for row in rows:
        while next(words) != row.name:
            pass
        count = 1 + sum(value is not None for value in row[2:5])
        shown[row.name] = [next(words) for _ in range(count)]
    return shown


def logits_of(pets, text):
    model, tokenizer = pets
    with torch.no_grad():
        return model(torch.tensor([tokenizer.encode(text)]))[0, -1]


def id_of(pets, word):
    (id,) = pets[1].encode(f" {word}")
    return id


def test_the_picture_has_the_models_probabilities_and_the_truth(studio, pets):
    probs = gptlib.softmax(logits_of(pets, "The cat is"))
    shown = numbers(studio)
    for word, p in TRUE.items():
        expected = svg.chance(probs[id_of(pets, word)].item())
        assert shown[f"␣{word}"] == [expected, expected, svg.chance(p)]


@pytest.mark.parametrize(
    "change", [{"temperature": 0.5}, {"temperature": 2.0}, {"top_k": 2}, {"top_p": 0.7}]
)
def test_each_setting_gives_the_probabilities_that_gptlib_computes(studio, pets, change):
    for name, value in change.items():
        getattr(studio, name).value = value
    expected = gptlib.next_token_probs(logits_of(pets, "The cat is"), **change)
    shown = numbers(studio)
    for word in TRUE:
        p = expected[id_of(pets, word)].item()
        cut = p == 0 and "temperature" not in change
        assert shown[f"␣{word}"][0] == ("cut" if cut else svg.chance(p))
    torch.testing.assert_close(studio.probs(), expected)


def test_neither_temperature_nor_filters_touch_the_truth_or_the_models_own(studio):
    before = {name: row[1:] for name, row in numbers(studio).items()}
    studio.temperature.value, studio.top_k.value, studio.top_p.value = 2.5, 2, 0.6
    assert {name: row[1:] for name, row in numbers(studio).items()} == before


def test_rows_keep_their_places_whatever_the_settings(studio):
    before = list(numbers(studio))
    for temperature in (0.0, 0.1, 3.0):
        studio.temperature.value = temperature
        assert list(numbers(studio)) == before


def test_temperature_zero_leaves_one_token(studio):
    studio.temperature.value = 0.0
    shown = numbers(studio)
    assert shown["␣sleeping"][0] == "1.00" and shown["␣on"][0] == "0"


def test_the_rows_sum_to_one_with_the_others(studio):
    for column in (1, 2, 3):
        assert sum(row[column] for row in studio.rows()) == pytest.approx(1, abs=1e-5)


def test_what_a_filter_cut_is_said_in_words(studio):
    studio.top_k.value = 1
    assert numbers(studio)["␣on"][0] == "cut"
    assert "␣on cut" in studio.describe()


def test_step_draws_from_the_bars_and_the_sentence_grows(studio, pets):
    studio.buttons["Step"].click()
    id, p = studio.words[-1]
    assert p == pytest.approx(gptlib.softmax(logits_of(pets, "The cat is"))[id].item())
    words = text_of(studio.picture.value)
    assert words[3:5] == [pets[1].token_str(id), svg.chance(p)]
    assert len(studio.ids) == 4


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("change", [{}, {"temperature": 1.5, "top_k": 3}, {"temperature": 0.0}])
def test_run_draws_what_generate_draws_with_the_same_seed(studio, pets, seed, change):
    studio.seed.value = seed
    for name, value in change.items():
        getattr(studio, name).value = value
    studio.buttons["Run"].click()
    model, tokenizer = pets
    generator = torch.Generator().manual_seed(seed)
    expected = gptlib.generate(
        model,
        tokenizer.encode("The cat is"),
        RUN,
        eos_id=tokenizer.eos_id,
        generator=generator,
        **change,
    )
    assert studio.ids == expected.tolist()


def test_it_stops_at_the_stop_token_and_says_so(studio, pets):
    studio.buttons["Run"].click()
    assert studio.ids[-1] == pets[1].eos_id
    assert any("Stopped: the stop token" in word for word in text_of(studio.picture.value))
    before = studio.ids
    studio.buttons["Step"].click()
    studio.buttons["Run"].click()
    assert studio.ids == before


def test_run_ends_where_no_stop_token_comes(model):
    studio = sampling_studio(model, Names([f"w{k}" for k in range(11)]), "123")
    studio.buttons["Run"].click()
    assert len(studio.words) == RUN


def test_undo_takes_one_back_and_step_draws_it_again(studio):
    studio.buttons["Step"].click()
    studio.buttons["Step"].click()
    before = studio.picture.value
    studio.buttons["Undo"].click()
    assert len(studio.words) == 1
    studio.buttons["Step"].click()
    assert studio.picture.value == before


def test_undo_at_the_prompt_does_nothing(studio):
    before = studio.picture.value
    studio.buttons["Undo"].click()
    assert studio.picture.value == before and studio.message.value == ""


def test_reset_and_another_prompt_go_back_to_the_prompt(studio):
    before = studio.picture.value
    studio.buttons["Run"].click()
    studio.buttons["Reset"].click()
    assert studio.picture.value == before
    studio.buttons["Step"].click()
    studio.prompt.value = "The dog"
    assert studio.words == [] and "␣was" in numbers(studio)


def test_reset_reads_a_model_that_has_learned_meanwhile(pets):
    model, tokenizer = gptlib.load("pets")
    studio = sampling_studio(model, tokenizer)
    with torch.no_grad():
        model.wte.weight.mul_(0.5)
    studio.buttons["Reset"].click()
    expected = gptlib.softmax(logits_of((model, tokenizer), "The cat is"))
    torch.testing.assert_close(studio.probs(), expected)


def test_another_seed_draws_another_sentence(studio):
    sentences = set()
    for seed in range(8):
        studio.seed.value = seed
        studio.buttons["Reset"].click()
        studio.buttons["Run"].click()
        sentences.add(tuple(studio.ids))
    assert len(sentences) > 3


def test_a_thousand_draws_are_counted_beside_the_probabilities(studio):
    studio.buttons["Draw"].click()
    shown = numbers(studio)
    counts = {name: int(row[-1].replace(",", "")) for name, row in shown.items()}
    assert sum(counts.values()) == MANY
    assert counts["␣sleeping"] == pytest.approx(600, abs=80)
    assert counts["␣on"] == pytest.approx(300, abs=80)


def test_the_draws_bend_with_the_distribution_and_nothing_cut_is_drawn(studio):
    studio.buttons["Draw"].click()
    studio.top_k.value = 1
    assert numbers(studio)["␣sleeping"][-1] == "1,000"
    assert numbers(studio)["␣on"][-1] == "0"


def test_each_press_draws_anew_and_a_step_puts_the_counts_away(studio):
    studio.buttons["Draw"].click()
    first = studio.picture.value
    studio.buttons["Draw"].click()
    assert studio.picture.value != first
    studio.buttons["Step"].click()
    assert all(row.drawn is None for row in studio.rows())


def test_the_model_is_asked_once_for_each_text(studio, pets, monkeypatch):
    calls = []
    forward = pets[0].forward
    monkeypatch.setattr(pets[0], "forward", lambda *a: calls.append(1) or forward(*a))
    for name, values in {"temperature": (0.5, 2.0), "top_k": (1, 5), "top_p": (0.5, 0.9)}.items():
        for value in values:
            getattr(studio, name).value = value
    assert not calls
    studio.buttons["Step"].click()
    studio.buttons["Undo"].click()
    studio.buttons["Step"].click()
    assert len(calls) == 1


def test_a_students_sampler_takes_the_place_of_ours(pets):
    asked = []

    def sampler(logits, temperature, top_k, top_p):
        asked.append((temperature, top_k, top_p))
        probs = torch.zeros_like(logits)
        probs[id_of(pets, "purrs")] = 1
        logits.fill_(0)  # its own copy: the next call has the model's logits again
        return probs

    studio = sampling_studio(*pets, sampler=sampler)
    studio.top_k.value = 3
    assert asked[-1] == (1.0, 3, None)
    studio.buttons["Step"].click()
    assert studio.words == [(id_of(pets, "purrs"), 1.0)]
    assert numbers(sampling_studio(*pets, sampler=gptlib.next_token_probs)) == numbers(
        sampling_studio(*pets)
    )


@pytest.mark.parametrize(
    "wrong, said",
    [
        (lambda p: p[:3], "your sampler gave shape (3,); logits have (397,)"),
        (lambda p: p - 0.5, "found NaN, a negative, or only 0"),
        (lambda p: p * float("nan"), "found NaN, a negative, or only 0"),
        (lambda p: p * 0, "found NaN, a negative, or only 0"),
        (lambda p: {}["x"], "KeyError: 'x'"),
    ],
)
def test_what_is_wrong_with_a_sampler_is_said_in_the_widget(pets, wrong, said):
    def sampler(logits, *settings):
        return wrong(torch.softmax(logits, -1))

    studio = sampling_studio(*pets, sampler=sampler)
    assert said in "".join(text_of(studio.message.value))
    studio.buttons["Step"].click()
    assert said in "".join(text_of(studio.message.value)) and studio.words == []


def test_a_sampler_that_is_not_written_yet_is_told_so_in_the_widget_and_the_fallback(pets):
    def sampler(logits, *settings):
        raise NotImplementedError

    studio = sampling_studio(*pets, sampler=sampler)
    words = "your sampler is not written yet"
    assert words in "".join(text_of(studio.message.value))
    assert words in studio.fallback()["text/plain"]


def test_a_sampler_that_forgets_to_normalise_is_told_and_still_drawn_from(pets):
    def sampler(logits, *settings):
        return (torch.softmax(logits, -1) / 2).tolist()

    studio = sampling_studio(*pets, sampler=sampler)
    assert any("sum to 0.50, not to 1" in word for word in text_of(studio.picture.value))
    studio.buttons["Step"].click()
    assert len(studio.words) == 1


def test_a_prompt_that_the_grammar_cannot_say_has_no_truth_and_says_why(studio):
    studio.prompt.value = "The sofa"
    assert studio.message.value == ""
    assert all(row.truth is None for row in studio.rows())
    assert any("No truth here" in word and "sofa" in word for word in text_of(studio.draw()))


def test_the_kl_from_the_truth_is_shown(studio, pets):
    ids = [id_of(pets, word) for word in TRUE]
    probs = gptlib.softmax(logits_of(pets, "The cat is"))
    cost = gptlib.kl(torch.tensor(list(TRUE.values())), probs[ids]).item()
    assert any(f"KL {svg.two(cost)} nats" in word for word in text_of(studio.picture.value))
    studio.top_k.value = 1
    assert any("KL ∞ nats" in word for word in text_of(studio.picture.value))


@pytest.mark.parametrize(
    "prompt, said",
    [
        ("", "type some text"),
        ("The cat is " * 30, "tokens are too many to show: 64 at most"),
        ("\ud800", "lone surrogate"),
    ],
)
def test_a_prompt_that_cannot_be_read_is_said_and_the_picture_stays(studio, prompt, said):
    before = studio.picture.value
    studio.prompt.value = prompt
    assert said in "".join(text_of(studio.message.value))
    assert studio.picture.value == before
    for button in studio.buttons.values():
        button.click()
        assert said in "".join(text_of(studio.message.value))
    studio.prompt.value = "The cat is"
    assert studio.message.value == "" and studio.picture.value == before


def test_a_prompt_longer_than_the_context_is_read_through_its_last_tokens(model):
    studio = sampling_studio(model, Names([f"w{k}" for k in range(11)]), "1234567890123")
    with torch.no_grad():
        expected = model(torch.tensor([[6, 7, 8, 9, 0, 1, 2, 3]]))[0, -1]
    torch.testing.assert_close(studio.probs(), gptlib.softmax(expected))


def test_special_tokens_in_the_prompt_are_read_as_tokens(studio, pets):
    studio.prompt.value = "<|endoftext|>"
    assert studio.ids == [pets[1].eos_id]
    assert numbers(studio)["The"][2] == "0.60"


def test_two_studios_do_not_interfere(pets):
    one, other = sampling_studio(*pets), sampling_studio(*pets)
    before = other.picture.value
    one.temperature.value = 2.0
    one.buttons["Step"].click()
    assert other.picture.value == before


def test_a_long_sentence_shows_its_end_in_the_same_room(studio):
    short = elements(studio.draw())[0][1]["viewbox"]
    studio.words = [(studio.ids[0], 0.5)] * 60
    picture = studio.draw()
    assert elements(picture)[0][1]["viewbox"] == short
    assert any("tokens before" in word for word in text_of(picture))


def test_every_control_has_a_name(studio):
    check_names(studio)


def test_the_fallback_and_the_files_say_the_same_each_time(studio, pets, tmp_path):
    again = sampling_studio(*pets, truth=grammar.next_words)
    assert studio.fallback() == again.fallback()
    assert studio.fallback()["text/plain"].startswith(
        "After 'The cat is', temperature 1: ␣sleeping 0.62 (truth 0.60)"
    )
    for name in ("a.svg", "a.html"):
        studio.save(tmp_path / name)
        assert "sleeping" in (tmp_path / name).read_text(encoding="utf-8")


def test_the_picture_is_announced_with_its_numbers(studio):
    attributes = elements(studio.picture.value)[0][1]
    assert attributes["role"] == "img" and "␣sleeping 0.62" in attributes["aria-label"]
    assert float(attributes["width"]) <= 900


@settings(max_examples=40, deadline=None)
@given(st.lists(HOSTILE, min_size=4, max_size=4))
def test_hostile_tokens_add_nothing_to_the_picture(names):
    rows = [Bar(name, 0.5, 0.25, 0.25, 10) for name in names]
    words = [Word(names[0]), Word(names[1], 0.5), Word(names[2], 0.1, stop=True)]
    picture = studio_svg(rows, words, names[2:], label=names[3])
    tame = studio_svg(
        [row._replace(name="x") for row in rows],
        [word._replace(name="x") for word in words],
        ["x", "x"],
        label="x",
    )
    assert [tag for tag, _ in elements(picture)] == [tag for tag, _ in elements(tame)]


@settings(max_examples=15, deadline=None)
@given(HOSTILE)
def test_hostile_tokens_of_a_tokenizer_reach_no_page_unescaped(name):
    config = gptlib.GPTConfig(vocab_size=4, block_size=8, n_layer=1, n_head=1, n_embd=2)
    studio = sampling_studio(gptlib.GPT(config, seed=0), Names([name] * 4), "012")
    studio.buttons["Step"].click()
    elements(studio.picture.value)
    elements(studio.message.value)
    studio.fallback()["text/plain"].encode()


def test_the_bars_are_as_long_as_their_numbers():
    body = bars.bars_svg([Bar("a", 0.254, 0.5, 0.75, 100)], ["n", "m", "t", "d"], draws=1000)
    picture = svg.document(body, 10, 10, "")
    widths = [a["width"] for t, a in elements(picture) if t == "rect"]
    widths = [float(width) for width in widths if float(width) > 20]
    assert widths == [pytest.approx(share * bars.BAR, abs=0.1) for share in (0.25, 0.5, 0.1)]


# ---- The truth, in tokens ----


def test_words_of_the_truth_become_the_tokens_that_continue_the_text(pets):
    tokenizer = pets[1]
    found = true_tokens(grammar.next_words, tokenizer, tokenizer.encode("The cat is"))
    assert found == {id_of(pets, word): p for word, p in TRUE.items()}


def test_a_full_stop_and_the_stop_token_stand_without_a_space(pets):
    tokenizer = pets[1]
    ids = tokenizer.encode("The cat is happy")
    assert true_tokens(grammar.next_words, tokenizer, ids) == {tokenizer.encode(".")[0]: 1.0}
    ids = tokenizer.encode("The cat is happy. It purrs.")
    assert true_tokens(grammar.next_words, tokenizer, ids)[tokenizer.eos_id] == pytest.approx(0.5)


def test_the_first_word_of_a_document_has_no_space(pets):
    tokenizer = pets[1]
    found = true_tokens(grammar.next_words, tokenizer, [tokenizer.eos_id])
    assert found[tokenizer.encode("The")[0]] == 0.6


def test_words_that_begin_with_the_same_token_give_it_their_sum():
    found = true_tokens(grammar.next_words, gptlib.Tokenizer(), list(b"The cat is"))
    assert found == {32: pytest.approx(1.0)}
