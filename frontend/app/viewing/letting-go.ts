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
  if (button?.closest(AROUND) && !button.closest('dialog') && !button.matches(PANELS)) button.blur();
}
