/**
 * What the browser keeps for this site: from visit to visit (`kept`), or as long as the tab is open (`keptInTab`).
 * In another site's frame, or with its keeping switched off, it refuses even to be asked: then things last as long as the page.
 */

class Kept {
  readonly #here = new Map<string, string>();

  constructor(readonly open: () => Storage) {}

  getItem(name: string): string | null {
    const here = this.#here.get(name);
    if (here !== undefined) return here;
    try {
      return this.open().getItem(name);
    } catch {
      return null;
    }
  }

  setItem(name: string, value: string): void {
    try {
      this.open().setItem(name, value);
      this.#here.delete(name);
    } catch {
      this.#here.set(name, value);
    }
  }

  removeItem(name: string): void {
    this.#here.delete(name);
    try {
      this.open().removeItem(name);
    } catch {
      // it keeps nothing that could be taken away
    }
  }
}

export const kept = new Kept(() => localStorage);
export const keptInTab = new Kept(() => sessionStorage);
