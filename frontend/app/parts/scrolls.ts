/**
 * A box that has more than it shows says so: it fades out where there is more (styles/controls.css), and what is current
 * in it is brought into its view, without moving the page.
 */

import type { Attachment } from 'svelte/attachments';

/** How wide the fading is, in pixels, as the styles have it. */
const FADE = 40;

/** How far to scroll so that what stands from one place to another is clear of the fading rims; to the middle, or not at all. */
export function bringInto(from: number, to: number, size: number): number {
  return from >= FADE && to <= size - FADE ? 0 : (from + to - size) / 2;
}

function showCurrent(box: HTMLElement): void {
  const current = box.querySelector('[aria-current]');
  if (!current) return;
  const view = box.getBoundingClientRect();
  const at = current.getBoundingClientRect();
  box.scrollLeft += bringInto(at.left - view.left, at.right - view.left, box.clientWidth);
  box.scrollTop += bringInto(at.top - view.top, at.bottom - view.top, box.clientHeight);
}

/** Attached to a box that scrolls; `place` names where the reader is, so that what is current is looked for anew. */
export function scrolls(place: () => unknown): Attachment<HTMLElement> {
  return (box) => {
    place();
    function tell(): void {
      const { scrollLeft, scrollTop, scrollWidth, scrollHeight, clientWidth, clientHeight } = box;
      box.toggleAttribute('data-before', scrollLeft > 1 || scrollTop > 1);
      box.toggleAttribute('data-after', scrollWidth - clientWidth - scrollLeft > 1 || scrollHeight - clientHeight - scrollTop > 1);
    }
    const look = (): void => {
      showCurrent(box);
      tell();
    };
    // what is told may change sizes again, which within the observer's own round browsers complain about
    const sizes = new ResizeObserver(() => requestAnimationFrame(look));
    sizes.observe(box);
    for (const part of box.children) sizes.observe(part);
    box.addEventListener('scroll', tell, { passive: true });
    showCurrent(box);
    tell();
    return () => {
      sizes.disconnect();
      box.removeEventListener('scroll', tell);
    };
  };
}
