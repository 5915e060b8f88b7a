/** Gives the focus to what comes, and back to where it was as that goes, unless somebody else took it. */
export function focused(own: HTMLElement): () => void {
  const before = document.activeElement;
  own.focus({ preventScroll: true });
  return () => {
    if (document.activeElement !== own) return;
    if (before instanceof HTMLElement && before.isConnected) before.focus();
    else own.blur();
  };
}
