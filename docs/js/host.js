// What an explorer has in place of a kernel: its traits, and answers to what it would ask Python.

/** As anywidget's model. answers: {kind: content -> (a promise of) the answer}. */
export class Host {
  constructor(traits, answers) {
    this.traits = new Map(Object.entries(traits));
    this.answers = answers;
    this.listeners = new Map(); // event -> those who listen
  }

  get(name) {
    return this.traits.get(name);
  }

  set(name, value) {
    const before = this.traits.get(name);
    this.traits.set(name, value);
    if (before !== value && JSON.stringify(before) !== JSON.stringify(value))
      this.tell(`change:${name}`);
  }

  save_changes() {} // nobody else reads them

  on(event, listener) {
    if (!this.listeners.has(event)) this.listeners.set(event, new Set());
    this.listeners.get(event).add(listener);
  }

  off(event, listener) {
    this.listeners.get(event)?.delete(listener);
  }

  tell(event, ...said) {
    for (const listener of [...(this.listeners.get(event) ?? [])]) listener(...said);
  }

  /** A question to the kernel: answered like `Explorer._hear`, a moment later. */
  async send({ id, ask, ...content }) {
    try {
      const answer = this.answers[ask];
      if (!answer) throw new Error("this part needs Python: open the notebook");
      const { buffers = [], ...plain } = await answer(content, this);
      this.tell("msg:custom", { id, ...plain }, buffers);
    } catch (error) {
      this.tell("msg:custom", { id, error: error.message });
    }
  }
}
