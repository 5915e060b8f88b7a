/** Steps through frames at a rate; a frame that is not there yet is waited for, never skipped blank. */

export class Cine {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = 0;

  constructor(
    private readonly step: () => boolean,
    public rate: number,
  ) {}

  get playing(): boolean {
    return this.#timer !== undefined;
  }

  play(): void {
    this.stop();
    this.#due = performance.now();
    this.#tick();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #tick = (): void => {
    const period = 1000 / this.rate;
    const now = performance.now();
    const stepped = this.step();
    this.#due = stepped ? Math.max(this.#due + period, now - period) : now + 30;
    this.#timer = setTimeout(this.#tick, Math.max(0, this.#due - now));
  };
}
