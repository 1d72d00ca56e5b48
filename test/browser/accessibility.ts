import type { Page } from 'playwright-core';

/** Finds what keeps users of keyboards and screen readers from using a page: labels, names, headings and contrast. */
export function findAccessibilityProblems(page: Page): Promise<string[]> {
  // Text, because the compiled tests have no types of the DOM.
  return page.evaluate(SCRIPT);
}

const SCRIPT = `(() => {
  const problems = [];
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true });
  const nameOf = (element) => element.outerHTML.slice(0, 100);
  for (const input of document.querySelectorAll('input, select, textarea, progress'))
    if (isShown(input) && ![...(input.labels ?? [])].some((label) => label.textContent.trim()))
      problems.push('no label: ' + nameOf(input));
  for (const button of document.querySelectorAll('button, a'))
    if (isShown(button) && !button.textContent.trim()) problems.push('no name: ' + nameOf(button));
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) problems.push('id twice: ' + id);
  let level = 0;
  for (const heading of document.querySelectorAll('h1, h2, h3, h4, h5, h6')) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) problems.push('heading level skipped: ' + nameOf(heading));
    level = next;
  }
  if (document.querySelectorAll('h1').length !== 1) problems.push('not one h1');
  if (!document.documentElement.lang) problems.push('no language');
  const parse = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const backgroundOf = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = parse(getComputedStyle(each).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  for (const element of document.querySelectorAll('body *')) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!isShown(element) || !(hasText || element.matches('input, select'))) continue;
    const [light, dark] = [luminance(parse(getComputedStyle(element).color)), luminance(backgroundOf(element))].sort((a, b) => b - a);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) problems.push('contrast ' + contrast.toFixed(1) + ': ' + nameOf(element));
  }
  if (document.documentElement.scrollWidth > innerWidth) problems.push('wider than the window');
  return problems;
})()`;
