// The panel's page: draws turns, sends questions. Texts of the model become text nodes, never HTML.
(() => {
  'use strict';
  const host = acquireVsCodeApi();
  const words = JSON.parse(document.body.dataset.words);
  const MOST_PICTURES = 4;
  const MOST_BYTES = 8_000_000;

  const turns = make('main', { id: 'turns', role: 'log', ariaLive: 'polite', ariaLabel: words.conversation });
  const welcome = make('p', { className: 'welcome', textContent: words.welcome });
  const form = make('form');
  const pictures = make('div', { id: 'pictures' });
  const field = make('textarea', { rows: 2, placeholder: words.placeholder, ariaLabel: words.placeholder });
  const withFile = make('input', { type: 'checkbox', checked: true, id: 'with-file' });
  const label = make('label', { htmlFor: 'with-file' }, withFile, words.withFile);
  const file = make('input', { type: 'file', accept: 'image/png,image/jpeg,image/webp,image/gif', multiple: true, hidden: true });
  const add = make('button', { type: 'button', textContent: '＋', title: words.addPicture, ariaLabel: words.addPicture });
  const clear = make('button', { type: 'button', textContent: '⟲', title: words.clear, ariaLabel: words.clear });
  const stop = make('button', { type: 'button', textContent: words.stop, hidden: true });
  const send = make('button', { type: 'submit', className: 'main', textContent: words.send });
  form.append(pictures, field, make('div', { className: 'row' }, label, file, add, clear, stop, send));
  turns.append(welcome);
  document.body.append(turns, form);

  let attached = []; // {data: base64, url}
  let current; // the turn that is being written
  let text = '';

  function make(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    if (properties.role) element.setAttribute('role', properties.role);
    if (properties.ariaLive) element.setAttribute('aria-live', properties.ariaLive);
    element.append(...children);
    return element;
  }

  function nearEnd() {
    return turns.scrollHeight - turns.scrollTop - turns.clientHeight < 60;
  }

  function follow(wasNear) {
    if (wasNear) turns.scrollTop = turns.scrollHeight;
  }

  function addTurn(kind, who, body) {
    welcome.hidden = true;
    const near = nearEnd();
    const turn = make('section', { className: `turn ${kind}` }, make('div', { className: 'who', textContent: who }), body);
    turns.append(turn);
    follow(near || kind === 'user');
    return turn;
  }

  function addQuestion(question, shots) {
    const body = make('div', { className: 'text', textContent: question });
    for (const shot of shots) body.append(make('div', {}, make('img', { className: 'shot', src: shot, alt: words.picture })));
    addTurn('user', words.you, body);
  }

  function begin() {
    text = '';
    current = make('div', { className: 'text' });
    current.append(make('p', { className: 'note', textContent: '…' }));
    addTurn('assistant', 'GLM', current);
    stop.hidden = false;
  }

  function end() {
    current = undefined;
    stop.hidden = true;
  }

  function draw(target, markdown) {
    const near = nearEnd();
    target.replaceChildren(...blocksOf(markdown));
    follow(near);
  }

  // The little of Markdown that answers use: fences, headings, lists, `code`, **bold**.
  function blocksOf(markdown) {
    const blocks = [];
    let paragraph = [];
    let list;
    const flush = () => {
      if (paragraph.length > 0) blocks.push(make('p', {}, ...inline(paragraph.join('\n'))));
      paragraph = [];
      list = undefined;
    };
    const lines = markdown.split('\n');
    for (let i = 0; i < lines.length; i++) {
      const fence = lines[i].match(/^\s*(`{3,}|~{3,})\s*([\w+#.-]*)/);
      if (fence) {
        flush();
        const code = [];
        for (i++; i < lines.length && !lines[i].trimStart().startsWith(fence[1]); i++) code.push(lines[i]);
        blocks.push(codeBlock(code.join('\n')));
        continue;
      }
      const heading = lines[i].match(/^#{1,6}\s+(.*)/);
      const item = lines[i].match(/^\s*[-*•]\s+(.*)/);
      if (heading) {
        flush();
        blocks.push(make('h3', {}, ...inline(heading[1])));
      } else if (item) {
        if (list === undefined) {
          flush();
          list = make('ul');
          blocks.push(list);
        }
        list.append(make('li', {}, ...inline(item[1])));
      } else if (lines[i].trim() === '') {
        flush();
      } else {
        list = undefined;
        paragraph.push(lines[i]);
      }
    }
    flush();
    return blocks;
  }

  function inline(line) {
    return line.split(/(`[^`\n]+`|\*\*[^*\n]+\*\*)/).map(part => {
      if (/^`[^`]+`$/.test(part)) return make('code', { textContent: part.slice(1, -1) });
      if (/^\*\*[^*]+\*\*$/.test(part)) return make('strong', { textContent: part.slice(2, -2) });
      return document.createTextNode(part);
    });
  }

  function codeBlock(code) {
    const buttons = ['copy', 'insert', 'diff'].map(type => {
      const button = make('button', { type: 'button', textContent: words[type] });
      button.addEventListener('click', () => host.postMessage({ type, text: code }));
      return button;
    });
    return make('div', { className: 'block' }, make('pre', { tabIndex: 0 }, make('code', { textContent: code })), make('div', { className: 'bar' }, ...buttons));
  }

  function ask() {
    const question = field.value.trim();
    if (question === '' && attached.length === 0) return;
    addQuestion(question, attached.map(each => each.url));
    host.postMessage({ type: 'ask', text: question, images: attached.map(each => each.data), withFile: withFile.checked });
    field.value = '';
    attached = [];
    drawAttached();
    begin();
  }

  function drawAttached() {
    pictures.replaceChildren(
      ...attached.map((each, i) => {
        const remove = make('button', { type: 'button', textContent: '×', title: words.removePicture, ariaLabel: words.removePicture });
        remove.addEventListener('click', () => {
          attached.splice(i, 1);
          drawAttached();
          field.focus();
        });
        return make('span', {}, make('img', { src: each.url, alt: words.picture }), remove);
      }),
    );
  }

  function take(files) {
    for (const each of files) {
      if (!each.type.startsWith('image/') || each.size > MOST_BYTES) continue;
      const reader = new FileReader();
      reader.addEventListener('load', () => {
        if (attached.length >= MOST_PICTURES) return;
        const url = String(reader.result);
        attached.push({ url, data: url.slice(url.indexOf(',') + 1) });
        drawAttached();
      });
      reader.readAsDataURL(each);
    }
  }

  form.addEventListener('submit', event => {
    event.preventDefault();
    ask();
  });
  field.addEventListener('keydown', event => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      ask();
    }
    if (event.key === 'Escape' && current) host.postMessage({ type: 'stop' });
  });
  field.addEventListener('paste', event => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) {
      event.preventDefault();
      take(files);
    }
  });
  document.addEventListener('dragover', event => {
    event.preventDefault();
    form.classList.add('over');
  });
  document.addEventListener('dragleave', () => form.classList.remove('over'));
  document.addEventListener('drop', event => {
    event.preventDefault();
    form.classList.remove('over');
    take(event.dataTransfer?.files ?? []);
  });
  add.addEventListener('click', () => file.click());
  file.addEventListener('change', () => {
    take(file.files ?? []);
    file.value = '';
  });
  stop.addEventListener('click', () => host.postMessage({ type: 'stop' }));
  clear.addEventListener('click', () => {
    turns.replaceChildren(welcome);
    welcome.hidden = false;
    host.postMessage({ type: 'clear' });
    field.focus();
  });

  window.addEventListener('message', ({ data }) => {
    switch (data.type) {
      case 'delta':
        if (current === undefined) break;
        text += data.text;
        draw(current, text);
        break;
      case 'answer':
        if (current !== undefined) draw(current, data.text);
        end();
        break;
      case 'turn': {
        addQuestion(data.question, []);
        const body = make('div', { className: 'text' });
        addTurn('assistant', data.model ? `GLM · ${data.model}` : 'GLM', body);
        draw(body, data.text);
        break;
      }
      case 'failed':
        current?.replaceChildren(make('p', { className: 'failed', textContent: data.text }));
        current?.setAttribute('role', 'alert');
        end();
        break;
      case 'stopped':
        current?.append(make('p', { className: 'note', textContent: words.stopped }));
        end();
        break;
    }
  });
  host.postMessage({ type: 'ready' });
  field.focus();
})();
