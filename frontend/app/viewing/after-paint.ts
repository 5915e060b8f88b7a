/** Work that must not hold up what is to be seen first. */

const HIDDEN_MS = 250; // a page that is not seen is not painted

/** Calls when the page's next picture is on the screen, and `waitMs` from now at the soonest; returns how to call it off. */
export function afterPaint(action: () => void, waitMs = 0): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let frame = 0;
  const stop = (): void => {
    clearTimeout(timer);
    cancelAnimationFrame(frame);
  };
  const act = (): void => {
    stop();
    action();
  };
  const begin = (): void => {
    timer = setTimeout(act, HIDDEN_MS);
    frame = requestAnimationFrame(() => {
      frame = requestAnimationFrame(act); // by now the one before is drawn
    });
  };
  if (waitMs > 0) timer = setTimeout(begin, waitMs);
  else begin();
  return stop;
}
