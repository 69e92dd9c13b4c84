// A screenshot with the text that stands in it, by the page's own word: FILE.png and FILE.json.
import fs from 'node:fs';

/** `file` ends in .png. The JSON holds lines of visible text with their boxes in the picture's pixels. */
export async function shoot(page, file, kind) {
  const [lines, scale] = await page.evaluate(collect);
  await page.screenshot({ path: file });
  const scaled = lines.map(({ text, box, mono }) => ({ text, mono, box: box.map(side => Math.round(side * scale)) }));
  fs.writeFileSync(file.replace(/\.png$/, '.json'), `${JSON.stringify({ kind, lines: scaled })}\n`);
}

// Runs in the page. A line is what one block shows on one height; text under something else, outside of
// the window or without ink is left out.
function collect() {
  const lines = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  const blockOf = element => {
    while (element.parentElement !== null && getComputedStyle(element).display.startsWith('inline')) element = element.parentElement;
    return element;
  };
  const seen = (element, x, y) => {
    const top = document.elementFromPoint(x, y);
    return top !== null && (top === element || element.contains(top) || top.contains(element));
  };
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const element = node.parentElement;
    const style = getComputedStyle(element);
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || ['SCRIPT', 'STYLE'].includes(element.tagName)) continue;
    if (/codicon|icon/.test(style.fontFamily)) continue;
    const block = blockOf(element);
    for (const word of node.data.matchAll(/\S+/g)) {
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const { left, top, right, bottom } = range.getBoundingClientRect();
      const inside = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight && right - left > 1;
      if (!inside || !seen(element, (left + right) / 2, (top + bottom) / 2)) continue;
      const last = lines.at(-1);
      const joins = last !== undefined && last.block === block && Math.abs(last.box[1] - top) < (bottom - top) / 2 && left >= last.box[2] - 2;
      if (joins) {
        const wide = (right - left) / word[0].length;
        const gap = Math.round((left - last.box[2]) / wide);
        last.text += (last.mono ? ' '.repeat(Math.max(gap, 0)) : gap > 0 || left - last.box[2] > 1 ? ' ' : '') + word[0];
        last.box = [last.box[0], Math.min(last.box[1], top), right, Math.max(last.box[3], bottom)];
      } else lines.push({ block, text: word[0], box: [left, top, right, bottom], mono: /mono/i.test(style.fontFamily) });
    }
  }
  return [lines.map(({ text, box, mono }) => ({ text: text.replaceAll('\u00a0', ' '), box, mono })), devicePixelRatio];
}
