import { type components, ProblemError } from '@biotrack-connect/client';
import texts from './texts.json' with { type: 'json' };

/** Translates a code and inserts its params. A message without a translation is shown in English. */
export function translate(kind: keyof typeof texts, code: string, params: object = {}, english = code): string {
  const text = (texts[kind] as Readonly<Record<string, string>>)[code] ?? english;
  return text.replace(/\{(\w+)\}/g, (_all, name) => String((params as Record<string, unknown>)[name] ?? '–'));
}

export const toText = ({ code, params, text }: components['schemas']['Message']): string =>
  translate('messages', code, params, text);

export const byId = <T extends HTMLElement = HTMLElement>(id: string): T => document.getElementById(id) as T;

type Child = Node | string;

/** Creates an element. Strings become text, never HTML. */
export function create<K extends keyof HTMLElementTagNameMap>(tag: K, properties: object, ...children: Child[]) {
  const element: HTMLElementTagNameMap[K] = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export function show(id: string, rows: readonly (Child | Child[])[]): void {
  const wrap = (child: Child): Node => (typeof child === 'string' ? create('span', {}, child) : child);
  byId(id).replaceChildren(...rows.map((row) => create('li', {}, ...[row].flat().map(wrap))));
}

/** A checkbox or radio button with its label. */
export function createChoice(label: string, properties: object): HTMLElement {
  const id = `choice-${crypto.randomUUID()}`;
  const input = create('input', { type: 'checkbox', ...properties, id });
  return create('span', { className: 'check' }, input, create('label', { htmlFor: id }, label));
}

export const formOf = (name: string): HTMLFormElement => byId<HTMLFormElement>(`${name}-form`);

export const readText = (form: HTMLFormElement) => (name: string) => String(new FormData(form).get(name) ?? '');

/** Fills a form, unless the user has begun to edit it. */
export function fill(form: HTMLFormElement, values: object): void {
  for (const [name, value] of form.dataset.dirty === undefined ? Object.entries(values) : []) {
    const field = form.elements.namedItem(name) as HTMLInputElement | null;
    if (field !== null) field[typeof value === 'boolean' ? 'checked' : 'value'] = value as never;
  }
}

/** Runs an action of a form or a row, and shows its problems there. A second click while it runs has no effect. */
export async function act(scope: HTMLElement, action: () => Promise<unknown>): Promise<void> {
  if (scope.ariaBusy === 'true') return;
  scope.ariaBusy = 'true';
  byId('alert').textContent = '';
  for (const shown of scope.querySelectorAll('.error')) shown.remove();
  for (const input of scope.querySelectorAll('[aria-invalid]')) input.removeAttribute('aria-invalid');
  try {
    await action();
    delete scope.dataset.dirty;
  } catch (error) {
    showError(scope, error);
  }
  scope.ariaBusy = 'false';
}

export function onSubmit(form: HTMLFormElement, action: (form: HTMLFormElement) => Promise<unknown>): void {
  form.oninput = () => form.setAttribute('data-dirty', '');
  form.onreset = () => form.removeAttribute('data-dirty');
  form.onsubmit = (event) => {
    event.preventDefault();
    return act(form, () => action(form));
  };
}

/** Shows a problem at the fields that its pointers name, or else at the form; other errors at the top of the page. */
function showError(scope: HTMLElement, error: unknown): void {
  if (!(error instanceof ProblemError)) byId('alert').textContent = String(error);
  else if (error.errors.length === 0) scope.append(create('p', { className: 'error', role: 'alert' }, error.detail));
  else {
    for (const { pointer, detail } of error.errors) {
      const input = scope.querySelector<HTMLInputElement>(`[name="${CSS.escape(pointer.slice(1))}"]`);
      const label = input?.labels?.[0]?.textContent ?? pointer;
      const shown = create('p', { className: 'error', role: 'alert', id: `${input?.id}-error` }, `${label} ${detail}.`);
      input?.setAttribute('aria-invalid', 'true');
      input?.setAttribute('aria-describedby', shown.id);
      (input ?? scope.lastElementChild)?.after(shown);
    }
    scope.querySelector<HTMLElement>('[aria-invalid]')?.focus();
  }
}
