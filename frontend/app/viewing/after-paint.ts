/** Work that must not hold up what is to be seen first. */

const HIDDEN_MS = 250; // a page that is not seen is not painted

/** Calls after the next picture of the page is painted, and `waitMs` at the least; returns how to call it off. */
export function afterPaint(action: () => void, waitMs = 0): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let frame = 0;
  const soon = (): void => {
    clearTimeout(timer);
    cancelAnimationFrame(frame);
    timer = setTimeout(action, 0); // behind the painting of this frame
  };
  const begin = (): void => {
    frame = requestAnimationFrame(soon);
    timer = setTimeout(soon, HIDDEN_MS);
  };
  if (waitMs > 0) timer = setTimeout(begin, waitMs);
  else begin();
  return () => {
    clearTimeout(timer);
    cancelAnimationFrame(frame);
  };
}
