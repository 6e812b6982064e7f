"""js/kernel.js: each way in which a kernel goes is noticed, and said in the same words."""

import pytest

# A kernel and a model as JupyterLab has them, with signals as it has them.
BEGIN = """async given => {
  const { Kernel, GONE } = await import("/kernel.js");
  class Signal {
    heard = new Set();
    connect(listener) { this.heard.add(listener); }
    disconnect(listener) { this.heard.delete(listener); }
    emit(value) { for (const listener of this.heard) listener(null, value); }
  }
  const there = { statusChanged: new Signal(), disposed: new Signal(), isDisposed: false };
  const own = { comm_live: true, widget_manager: { kernel: there } };
  const model = {
    heard: new Map(),
    get: () => "an id",
    on(event, listener) { this.heard.set(event, listener); },
    set() {},
    send() { if (given.refused) throw new Error("Cannot send"); },
    save_changes() { if (given.refused) throw "Syncing error: no comm channel defined"; },
    widget_manager: given.alone ? undefined : { get_model: async () => own },
  };
  const said = [];
  const kernel = new Kernel(model);
  kernel.watch(gone => said.push(gone));
  await new Promise(go => setTimeout(go));
  const reason = promise => promise.then(() => "an answer", error => error.message);
"""


def run(page, code, **given):
    return page.evaluate(f"{BEGIN}{code}}}", given)


@pytest.mark.parametrize(
    "end",
    [
        "there.statusChanged.emit('restarting')",
        "there.statusChanged.emit('autorestarting')",
        "there.statusChanged.emit('dead')",
        "there.disposed.emit()",
        "own.comm_live = false; model.heard.get('comm_live_update')()",
    ],
)
def test_an_end_is_told_once_and_whoever_waits_is_answered(page, end):
    code = f"""
      const waiting = reason(kernel.ask("something"));
      there.statusChanged.emit("busy");
      const before = [...said];
      {end};
      {end};
      return [before, said, await waiting === GONE, await reason(kernel.ask("more")) === GONE];"""
    assert run(page, code) == [[False], [False, True], True, True]


def test_what_cannot_be_sent_is_said_in_our_words(page):
    code = "return [await reason(kernel.ask('something')) === GONE, said];"
    assert run(page, code, refused=True, alone=True) == [True, [False, True]]


def test_what_cannot_be_told_is_no_error_of_the_page_and_the_kernel_has_gone(page):
    code = "kernel.tell('text', 'words'); return said;"
    assert run(page, code, refused=True, alone=True) == [False, True]


@pytest.mark.parametrize("before", ["own.widget_manager.kernel = null", "there.isDisposed = true"])
def test_an_explorer_that_is_shown_anew_knows_that_its_kernel_has_gone(page, before):
    code = f"""
      {before};
      const again = new Kernel(model);
      await new Promise(go => setTimeout(go));
      return again.gone;"""
    assert run(page, code) is True


def test_a_kernel_that_is_there_later_is_heard(page):
    code = """
      own.comm_live = false;
      own.widget_manager.kernel = null;
      const again = new Kernel(model);
      await new Promise(go => setTimeout(go));
      const before = again.gone;
      own.comm_live = true;
      own.widget_manager.kernel = there;
      model.heard.get("comm_live_update")();
      const back = again.gone;
      there.disposed.emit();
      return [before, back, again.gone];"""
    assert run(page, code) == [True, False, True]


def test_nothing_is_heard_after_the_end_of_the_explorer(page):
    code = """
      kernel.close();
      return there.statusChanged.heard.size + there.disposed.heard.size;"""
    assert run(page, code) == 0


# ---- js/base.js: the line that says it, and the line of the last action ----

FRAME = """
  const { frame, latest, needsKernel } = await import("/base.js");
  const el = document.createElement("div");
  const page = frame({ model, el, name: "an explorer" });
  const control = { disabled: false };
  const told = () => [...el.querySelectorAll(".gptlib-message > div")].map(line => line.innerText);
  const alarms = () => el.querySelectorAll("[role=alert]").length;
  const grey = () => el.querySelectorAll(".gptlib-stale").length;
  const gone = live => {
    own.comm_live = live;
    model.heard.get("comm_live_update")();
  };
  document.body.replaceChildren(el);
  needsKernel(page, control);
  await new Promise(go => setTimeout(go));
  const LOST = `⚠ ${GONE}`, BACK = "⚠ The kernel is back: make your last change once more.";
"""


def test_no_action_wipes_out_that_the_kernel_has_gone_and_its_return_no_action(page):
    code = f"""{FRAME}
      const seen = [];
      const look = () => seen.push([...told(), alarms(), grey(), control.disabled]);
      gone(false); look();
      page.trouble("a wrong number"); look();
      page.trouble(""); look();
      await latest(page, async () => {{}}, () => {{}})(); look();
      page.note("a wait"); look();
      gone(true); look();
      page.trouble("a wrong number"); gone(false); gone(true); look();
      return [seen, LOST];"""
    seen, lost = run(page, code)
    assert seen == [
        [lost, "", 1, 0, True],
        [lost, "⚠ a wrong number", 2, 1, True],
        [lost, "", 1, 0, True],
        [lost, "", 1, 0, True],
        [lost, "a wait", 1, 0, True],
        ["", "a wait", 0, 0, False],
        ["", "⚠ a wrong number", 1, 1, False],
    ]


def test_who_waited_when_the_kernel_went_is_told_once_and_asked_to_try_again_when_it_is_back(page):
    code = f"""{FRAME}
      const ended = page.run(() => page.kernel.ask("something"));
      gone(false);
      await ended;
      const then = [...told(), grey()];
      gone(true);
      return [then, [...told(), grey()], LOST, BACK];"""
    then, later, lost, back = run(page, code)
    assert then == [lost, "", 1]
    assert later == ["", back, 1]


def test_who_could_not_read_gets_nothing_from_latest(page):
    code = f"""{FRAME}
      const fails = latest(page, async () => {{ throw new Error("no") }}, () => {{}});
      const reads = latest(page, async () => {{}}, () => {{}});
      return [await reads(), (await fails()) ?? null, told()];"""
    assert run(page, code) == [True, None, ["", "⚠ no"]]
