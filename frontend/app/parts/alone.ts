/** What lies below can neither be reached by Tab nor read out while this stands over it. */
export function alone(own: HTMLElement): () => void {
  const below = [...(own.parentElement?.children ?? [])].filter((one): one is HTMLElement => one instanceof HTMLElement && one !== own && !one.inert);
  const before = document.activeElement;
  for (const one of below) one.inert = true;
  return () => {
    for (const one of below) one.inert = false;
    if (before instanceof HTMLElement && before.isConnected) before.focus();
  };
}
