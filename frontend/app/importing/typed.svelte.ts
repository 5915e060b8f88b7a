/**
 * What is typed to begin an import: it stays while somebody looks at another page here, for a quarter of an hour, and in
 * this page's memory alone. A link opens images, so the browser stores nothing of it; whoever reloads is asked first.
 * That it is lawful is confirmed anew each time.
 */

import { session } from '../state/session.svelte';
import type { Picked } from '../upload/entries';

const KEPT_MS = 15 * 60_000;

export class Typed {
  link = $state('');
  born = $state('');
  basis = $state('');
  picked: Picked | null = $state.raw(null);
  #end: ReturnType<typeof setTimeout> | undefined;

  /** Somebody would have to type or choose it again. */
  get isAny(): boolean {
    return this.link.trim() !== '' || this.born !== '' || this.picked !== null;
  }

  clear(): void {
    [this.link, this.born, this.basis, this.picked] = ['', '', '', null];
  }

  /** The form is shown; returns what to do once it is left. */
  shown(): () => void {
    clearTimeout(this.#end);
    return () => (this.#end = setTimeout(() => this.clear(), KEPT_MS));
  }
}

export const typed = new Typed();

addEventListener('beforeunload', (event) => {
  if (typed.isAny && !session.going && !session.leaving) event.preventDefault();
});
