"""What is looked at and done in a portal's page, as functions that run beside the page's own scripts, unseen by them.

Nothing of a recipe becomes code: names, labels and values are handed to these functions as arguments.
"""

_FIND = r"""
const all = function* (root) {
  for (const one of root.querySelectorAll('*')) {
    yield one;
    if (one.shadowRoot) yield* all(one.shadowRoot);
  }
};
const plain = (text) => (text || '').replace(/[\s\u00a0]+/g, ' ').trim().replace(/[\s:*]+$/, '').toLowerCase();
const shown = (one) => one.getClientRects().length > 0 && one.checkVisibility({ visibilityProperty: true });
const named = (one) => [one.innerText, one.value, one.getAttribute('aria-label'), one.title, one.alt,
  one.querySelector?.('img')?.alt].map(plain);
const textOf = (root, id) => root.getElementById?.(id)?.innerText;
const labelled = (one) => [...[...(one.labels || [])].map((label) => label.innerText), one.getAttribute('aria-label'),
  ...(one.getAttribute('aria-labelledby') || '').split(' ').map((id) => id && textOf(one.getRootNode(), id)),
  one.placeholder, one.title].map(plain);
const ways = {
  button: (one, text) => one.matches('button, input[type=submit], input[type=button], input[type=image], [role=button]')
    && named(one).includes(plain(text)),
  link: (one, text) => one.matches('a, area, [role=link]') && named(one).includes(plain(text)),
  label: (one, text) => one.matches('input, select, textarea') && labelled(one).includes(plain(text)),
  field: (one, text) => one.matches('input, select, textarea') && one.name === text,
  selector: (one, text) => one.matches(text),
  text: (one, text) => plain(one.innerText) === plain(text)
    && ![...one.children].some((child) => plain(child.innerText) === plain(text)),
};
const find = (way, text) => {
  for (const one of all(document)) if (ways[way](one, text) && shown(one)) return one;
  return null;
};
"""

CLICK = (
    "function (way, text) {"
    + _FIND
    + r"""
  const one = find(way, text);
  if (!one || one.disabled) return null;
  const within = /^_(top|parent)$/i;
  for (const other of [one, one.closest('a'), one.form]) {
    if (other?.target && !within.test(other.target)) other.target = '_self';
  }
  one.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
  const box = one.getClientRects()[0];
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}"""
)
"""Returns where an element is to be clicked, null if there is none (yet)."""

FOCUS = (
    "function (way, text, value) {"
    + _FIND
    + r"""
  const one = find(way, text);
  if (!one || one.disabled || one.readOnly) return null;
  const tell = () => { for (const name of ['input', 'change']) one.dispatchEvent(new Event(name, { bubbles: true })); };
  one.scrollIntoView({ block: 'center', behavior: 'instant' });
  one.focus();
  if (one instanceof HTMLSelectElement) {
    const option = [...one.options].find((other) => other.value === value || plain(other.text) === plain(value));
    if (!option) return 'no-option';
    one.value = option.value;
    tell();
    return 'done';
  }
  if (/^(date|month|week|time|datetime-local|range|color|number)$/.test(one.type)) {
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(one, value);
    tell();
    return one.value === '' && value !== '' ? 'no-value' : 'done';
  }
  one.select?.();
  return 'type';
}"""
)
"""Takes a field to be typed into; sets those that nobody types into. Returns type, done, what is wrong, or null."""

FRAME = (
    "function (where) {"
    + _FIND
    + r"""
  const fits = (one) => Object.entries(where).every(([name, value]) => name === 'class'
    ? one.classList.contains(value) : one.getAttribute(name) === value);
  for (const one of all(document)) {
    if (!one.matches('iframe, frame') || !fits(one)) continue;
    one.scrollIntoView({ block: 'nearest', behavior: 'instant' });
    return one;
  }
  return null;
}"""
)
"""Returns the first frame that has these attributes."""

CORNER = r"""function () {
  const box = this.getBoundingClientRect(), style = getComputedStyle(this);
  return { x: box.x + this.clientLeft + parseFloat(style.paddingLeft || 0),
    y: box.y + this.clientTop + parseFloat(style.paddingTop || 0) };
}"""
"""Returns where the page in a frame begins."""

PAGE = r"""function (most) {
  const parts = [];
  let size = 0;
  const escaped = (text) => text.replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`);
  const put = (text) => { size += text.length; parts.push(text); };
  const walk = (node) => {
    if (size > most) return;
    if (node.nodeType === Node.TEXT_NODE) return put(escaped(node.data));
    if (node.nodeType !== Node.ELEMENT_NODE && node.nodeType !== Node.DOCUMENT_FRAGMENT_NODE) return;
    if (node.nodeType === Node.ELEMENT_NODE) {
      const hidden = node.matches('script, style, template, noscript');
      const kept = node.matches('html, head, title, meta, input[type=hidden], option');
      if (hidden || !(kept || node.checkVisibility({ visibilityProperty: true }))) return;
      const name = node.localName;
      put(`<${name}${[...node.attributes].map((one) => ` ${one.name}="${escaped(one.value)}"`).join('')}>`);
      if (node.shadowRoot) walk(node.shadowRoot);
      for (const one of node.childNodes) walk(one);
      return put(`</${name}>`);
    }
    for (const one of node.childNodes) walk(one);
  };
  walk(document.documentElement);
  const drawn = [...document.images].every((one) => one.complete || one.loading === 'lazy');
  const whole = drawn && document.readyState === 'complete';
  return { page: parts.join('').slice(0, most), address: location.href, whole };
}"""
"""Returns the page as somebody sees it, without what is hidden."""

ONE_PAGE = r"""(() => {
  const open = (address) => { if (address) setTimeout(() => { location.href = address; }); return null; };
  Object.defineProperty(window, 'open', { value: open, writable: false, configurable: false });
  const here = (one) => { if (one?.target && !/^_(top|parent)$/i.test(one.target)) one.target = '_self'; };
  for (const [kind, act] of [[HTMLAnchorElement, 'click'], [HTMLFormElement, 'submit']]) {
    const does = kind.prototype[act];
    kind.prototype[act] = function () { here(this); return does.call(this); };
  }
  addEventListener('click', (event) => here(event.target?.closest?.('a')), true);
  addEventListener('submit', (event) => here(event.target), true);
})();"""
"""Keeps a portal in one page: what would open in another opens here."""
