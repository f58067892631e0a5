// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elements, numbers as text, and figures that answer to the pointer and to keys.
// Strings of the data become text nodes and never markup.
'use strict';

const data = JSON.parse(document.getElementById('data').textContent);

/// An element with attributes and children: elements, strings or numbers.
function element(tag, attributes, ...children) {
  const result = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {}))
    if (name === 'onclick')
      result.addEventListener('click', value);
    else
      result.setAttribute(name, value);
  result.append(...children.map(child => typeof child === 'number' ? String(child) : child));
  return result;
}

const significant = d3.format('.3~r');

function numberText(value) {
  if (value === null || value === undefined || !Number.isFinite(value))
    return 'none';
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e7) ? d3.format('.3~e')(value)
       : size >= 1000 ? d3.format(',.0f')(value) : significant(value);
}
function bytesText(bytes) {
  let unit = 0;
  for (; bytes >= 1024 && unit < 4; ++unit)
    bytes /= 1024;
  return significant(bytes) + ' ' + ['B', 'KiB', 'MiB', 'GiB', 'TiB'][unit];
}
const timeText = ms => ms >= 1000 ? significant(ms / 1000) + ' s'
    : ms >= 1 ? significant(ms) + ' ms' : significant(ms * 1000) + ' us';
const countText = d3.format(',');
const percentText = share => d3.format('.1f')(100 * share) + ' %';

/// A table in a box of its own that scrolls. A column is [title, value of a row, is a
/// number, is left out on narrow screens].
function table(columns, rows, attributes) {
  const classOf = column => (column[2] ? 'number' : '') + (column[3] ? ' wide' : '');
  const cell = value => value instanceof Node ? value : document.createTextNode(String(value));
  const head = element('tr', {}, ...columns.map(
      column => element('th', {scope: 'col', class: classOf(column)}, column[0])));
  const body = rows.map(row => element('tr', {}, ...columns.map(
      column => element('td', {class: classOf(column)}, cell(column[1](row))))));
  return element('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Table'},
      element('table', attributes || {}, element('thead', {}, head), element('tbody', {}, ...body)));
}

function facts(pairs) {
  return element('dl', {class: 'facts'}, ...pairs.map(
      ([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))));
}

/// A section of the page with an entry in its contents.
function section(id, name, title) {
  const result = element('section', {id}, element('h2', {}, title));
  document.getElementById('content').append(result);
  document.getElementById('contents').append(element('a', {href: '#' + id}, name));
  return result;
}

/// A figure whose `draw(svg, width)` is called again where the width changes. It
/// returns the marks that a pointer or the arrow keys choose, as
/// [{node, text, activate}]: the text of the chosen one is shown below. `rows` are the
/// same numbers as a table.
function figure(parent, title, about, draw, columns, rows) {
  const box = element('div', {class: 'scroll'});
  const readout = element('p', {class: 'readout', 'aria-live': 'polite'},
      'Point at a mark, or focus the figure and press the arrow keys.');
  const result = element('figure', {}, element('h3', {}, title),
      element('figcaption', {}, about), box, readout);
  if (columns)
    result.append(element('details', {}, element('summary', {}, 'The numbers as a table'),
        table(columns, rows)));
  parent.append(result);
  let width = 0, chosen = -1;
  const redraw = () => {
    const now = Math.floor(box.clientWidth);
    if (now === 0 || now === width)
      return;
    width = now;
    const hadFocus = box.contains(document.activeElement);
    box.replaceChildren();
    const svg = d3.select(box).append('svg').attr('width', width).attr('tabindex', 0)
        .attr('role', 'group').attr('aria-label', title + '. Arrow keys move between marks.');
    choose(svg, draw(svg, width), readout, chosen, index => { chosen = index; });
    if (hadFocus)
      svg.node().focus();
  };
  new ResizeObserver(redraw).observe(box);
  return result;
}

/// Lets the pointer and the keys choose one of `marks`; `first`: number of the one that is
/// chosen already, or -1. Calls `note` with the number of each.
function choose(svg, marks, readout, first, note) {
  let current = -1;
  const set = index => {
    if (marks.length === 0)
      return;
    if (current >= 0)
      d3.select(marks[current].node).classed('current', false);
    current = Math.max(0, Math.min(marks.length - 1, index));
    note(current);
    d3.select(marks[current].node).classed('current', true);
    if (marks[current].show)
      marks[current].show();
    readout.textContent = marks[current].text;
  };
  marks.forEach((mark, index) => {
    if (!mark.node)
      return;
    mark.node.addEventListener('pointerenter', () => set(index));
    mark.node.addEventListener('click', () => { set(index); if (mark.activate) mark.activate(); });
  });
  const steps = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, PageDown: 10, PageUp: -10,
                 Home: -Infinity, End: Infinity};
  svg.node().addEventListener('chosen', event => set(event.detail));
  svg.node().addEventListener('keydown', event => {
    if (event.key in steps) {
      set(current + steps[event.key]);
      event.preventDefault();
    } else if (event.key === 'Enter' && current >= 0 && marks[current].activate) {
      event.preventDefault(); // Else the key would press the button of the dialog that has the focus.
      marks[current].activate();
    }
  });
  if (first >= 0)
    set(first);
}

/// A text in `svg` that is shortened to `room` pixels at about 7 a character.
function fitted(text, room) {
  const most = Math.floor(room / 7);
  return text.length <= most ? text : most < 4 ? '' : '\u2026' + text.slice(text.length - most + 1);
}

function setTheme(theme) {
  const dark = theme ? theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
}

function showPage() {
  const select = document.getElementById('theme');
  select.addEventListener('change', () => setTheme(select.value));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => setTheme(select.value));
  setTheme('');
  // Without the folders that they are in: sections have the whole paths.
  const names = (data.model ? [data.model.file] : []).concat(data.runs.map(run => run.folder))
      .map(path => path.replace(/\/+$/, '').split('/').pop());
  document.getElementById('title').textContent = names.join(', ');
  document.title = names.join(', ') + ' - vit-run report';
  document.getElementById('made').textContent =
      'Written by vit-run report ' + data.version + '. Drawn with D3 ' + d3.version + '.';
  if (data.model)
    showModel(data.model);
  if (data.runs.length > 0)
    showRuns(data.runs);
  if (data.pictures.length > 0)
    showPictures(data.pictures);
  document.documentElement.dataset.ready = 'yes';
}
