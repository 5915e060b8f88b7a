/**
 * After a click by mouse or finger the keys belong to the picture again: a button that kept the focus would be pressed again
 * by Space. Who goes by keys keeps the focus where it is, and Tab goes on from where the pointer was.
 */

/** Bars and panels whose buttons are pressed for the picture; lists that have keys of their own keep the focus. */
const AROUND = '.reading-room > header, .reading-room > .strip';

/** What opens a panel beside it, and what stands in one, keeps the focus: Escape closes the panel, and not what lies below. */
const PANELS = '[popovertarget], [aria-haspopup], [aria-expanded], [popover] *, aside *';

/** To be heard before all others: what opens then gives the focus back to the page, and not to the button. */
export function letGo(event: MouseEvent): void {
  const button = event.detail > 0 && event.target instanceof Element ? event.target.closest<HTMLElement>('button') : null;
  if (!button?.closest(AROUND) || button.closest('dialog')) return;
  if (!button.matches(PANELS)) button.blur();
  const panel = button.closest('[popover]');
  if (panel) setTimeout(() => leave(panel));
}

/** A panel that closed with the choice has given the focus to the button that opened it. */
function leave(panel: Element): void {
  const focused = document.activeElement;
  if (!panel.matches(':popover-open') && focused instanceof HTMLElement && focused.matches('[popovertarget]')) focused.blur();
}
