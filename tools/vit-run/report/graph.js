// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The graph of a model as a drawing: a box for each launch, from top to bottom in the order
// of the run, a frame around a layer, and lines from results to the launches that read them.
'use strict';

const graphSizes = {box: 42, gap: 16, head: 24, foot: 12, lane: 10, loop: 26, end: 30, far: 24};

/// The values that rows read of earlier ones: [{from, to, far}], rows by number: those that
/// read the value of row `from`, and those that are too far away for a line. Of layers that are
/// folded, what the first reads. Without a plan each row reads the one before.
function linksOf(model, commands, rows) {
  if (!model.plan)
    return rows.slice(1).map((_, at) => ({from: at, to: [at + 1], far: []}));
  const rowOf = new Map(rows.flatMap((row, at) => row.all.map(command => [command.index, at])));
  const links = rows.map((_, at) => ({from: at, to: [], far: []}));
  rows.forEach((row, at) => {
    for (const from of new Set(sourcesOf(commands, row).map(maker => rowOf.get(maker))))
      if (from < at)
        links[from][at - from > graphSizes.far ? 'far' : 'to'].push(at);
  });
  return links.filter(link => link.to.length + link.far.length > 0);
}

/// Gives each link that skips rows a lane beside the boxes, short ones the inner lanes; those
/// for which none of `most` lanes is free have none. Returns the number of lanes.
function assignLanes(links, most) {
  const lanes = [];
  const lastOf = link => link.to.length > 0 ? link.to[link.to.length - 1] : link.from;
  const lengthOf = link => lastOf(link) - link.from;
  for (const link of links.filter(link => lengthOf(link) > 1).sort((a, b) => lengthOf(a) - lengthOf(b))) {
    const last = lastOf(link);
    let lane = lanes.findIndex(taken => taken.every(one => one.last <= link.from || last <= one.from));
    if (lane < 0 && lanes.length < most)
      lane = lanes.push([]) - 1;
    if (lane >= 0)
      lanes[lane].push({from: link.from, last});
    link.lane = lane;
  }
  return lanes.length;
}

/// The top of each row and of each frame, and the height of all.
function placeRows(blocks) {
  const {box, gap, head, foot, end} = graphSizes;
  const tops = [], frames = [];
  let y = end + gap;
  for (const block of blocks) {
    const isLayer = block.layer !== null, top = y;
    y += isLayer ? head : 0;
    for (const _ of block.copies[0].commands) {
      tops.push(y);
      y += box + gap;
    }
    if (isLayer) {
      frames.push({block, top, bottom: y - gap + foot, first: tops.length - block.copies[0].commands.length, last: tops.length});
      y += foot;
    }
  }
  return {tops, frames, height: y + end + 4};
}

function addText(parent, x, y, text, attributes) {
  const result = parent.append('text').attr('x', x).attr('y', y).attr('pointer-events', 'none').text(text);
  for (const [name, value] of Object.entries(attributes || {}))
    result.attr(name, value);
  return result;
}

/// The frame of a layer, with an arrow back to its begin if it stands for several.
function drawFrame(svg, frame, rows, left, width) {
  const count = frame.block.copies.length, total = d3.sum(rows.slice(frame.first, frame.last), row => row.ms);
  svg.append('rect').attr('class', 'frame').attr('x', left).attr('y', frame.top).attr('width', width)
      .attr('height', frame.bottom - frame.top).attr('rx', 6);
  const title = titleOf(frame.block) + (count > 1 ? ', ' + count + ' alike' : '') + ': ' + timeText(total);
  addText(svg, left + 8, frame.top + 16, fitted(title, 0.68 * width), {class: 'strong'}); // Beside the line into the frame.
  if (count < 2)
    return;
  svg.append('path').attr('class', 'edge').attr('marker-end', 'url(#arrow)')
      .attr('d', `M${left},${frame.bottom - 10}h-12V${frame.top + 10}h10`);
  const middle = (frame.top + frame.bottom) / 2;
  addText(svg, 0, 0, '\u00d7 ' + count, {'text-anchor': 'middle', transform: `translate(${left - 16},${middle}) rotate(-90)`});
}

/// The box of a launch: what it is and how long it takes; which ops and kernel, and its
/// result; at its foot a bar for the time. Returns the element that is chosen.
function drawBox(svg, row, place, longest) {
  const {x, y, width} = place, height = graphSizes.box;
  const node = svg.append('rect').attr('class', 'mark node').attr('x', x).attr('y', y).attr('width', width)
      .attr('height', height).attr('rx', 4).node();
  const time = timeText(row.ms / row.count);
  const number = '#' + row.index + ' ';
  addText(svg, x + 8, y + 16, number + fitted(row.label, 0.9 * (width - 24) - 7 * (time.length + number.length)), {class: 'strong'});
  addText(svg, x + width - 8, y + 16, time, {'text-anchor': 'end'});
  const result = row.passes ? typeText(row.passes.result) : '';
  const details = [row.fused, row.kernel, result].filter(Boolean);
  while (details.length > 1 && 7 * details.join(' \u00b7 ').length > width - 16)
    details.pop();
  addText(svg, x + 8, y + 31, fitted(details.join(' \u00b7 '), width - 16));
  svg.append('rect').attr('class', 'share').attr('x', x).attr('y', y + height - 5).attr('height', 5)
      .attr('pointer-events', 'none').attr('width', longest > 0 ? width * row.ms / row.count / longest : 0);
  return node;
}

/// Where lines leave a box downwards.
const stemOf = box => Math.round(box.x + 0.75 * box.width);

/// The lines of a link: straight down to the next row, along its lane to later ones. A reader
/// without a line names what it reads.
function drawLink(svg, link, tops, box, rows) {
  const {box: height, lane: step} = graphSizes, right = box.x + box.width, stem = stemOf(box);
  const middle = at => tops[at] + height / 2;
  const add = (d, to) => svg.append('path').attr('class', 'edge').attr('marker-end', 'url(#arrow)').attr('d', d)
      .datum({from: link.from, to});
  const name = at => { rows[at].unlinked = (rows[at].unlinked || []).concat(rows[link.from].index); };
  link.far.forEach(name);
  for (const at of link.to) {
    const beside = right + 8 + (link.lane + 0.5) * step;
    if (at === link.from + 1)
      add(`M${stem},${tops[link.from] + height}V${tops[at] - 2}`, at);
    else if (link.lane >= 0)
      add(`M${right},${middle(link.from) + 6}H${beside}V${middle(at) - 6}H${right + 2}`, at);
    else
      name(at);
  }
}

/// What enters and leaves the graph.
function drawEnds(svg, model, rows, tops, box, height) {
  const {box: tall, end} = graphSizes, middle = box.x + box.width / 2;
  const shape = list => list.map(one => (one.name + ' ' + one.dims.map(size => size < 0 ? '?' : size).join('x')).trim()).join(', ');
  const add = (y, list) => {
    svg.append('rect').attr('class', 'end').attr('x', box.x).attr('y', y).attr('width', box.width).attr('height', end - 6).attr('rx', 12);
    addText(svg, middle, y + 16, fitted(shape(list), box.width - 16), {'text-anchor': 'middle'});
  };
  const line = d => svg.append('path').attr('class', 'edge').attr('marker-end', 'url(#arrow)').attr('d', d);
  add(4, model.inputs);
  line(`M${stemOf(box)},${end - 2}V${tops[0] - 2}`);
  const bottom = height - end + 2;
  add(bottom, model.outputs);
  line(`M${stemOf(box)},${tops[tops.length - 1] + tall}V${bottom - 2}`);
}

function describeBox(row, commands, total) {
  const sources = sourcesOf(commands, row);
  const parts = [row.fused ? 'computes ' + row.fused : '',
    row.tile ? 'tile ' + row.tile : '',
    row.passes ? 'result ' + typeText(row.passes.result) : '',
    sources.length > 0 ? 'reads ' + sources.map(at => '#' + at).join(', ') : ''];
  return '#' + row.index + ' ' + row.title + ', kernel ' + row.kernel + '; ' + parts.filter(Boolean).map(part => part + '; ').join('') +
      timeText(row.ms / row.count) + (row.count > 1 ? ' each of ' + row.count : '') + ', ' + percentText(row.ms / total) + ' of the time';
}

function drawGraph(svg, width, model, commands, blocks, rows) {
  const {tops, frames, height} = placeRows(blocks), links = linksOf(model, commands, rows);
  const lanes = assignLanes(links, width < 560 ? 4 : 14);
  const left = frames.some(frame => frame.block.copies.length > 1) ? graphSizes.loop : 4;
  const right = 8 + lanes * graphSizes.lane + 8;
  const box = {x: left + 10, width: Math.min(900, width - left - right - 20)};
  svg.attr('height', height);
  svg.append('defs').append('marker').attr('id', 'arrow').attr('viewBox', '0 0 6 6').attr('refX', 5).attr('refY', 3)
      .attr('markerUnits', 'userSpaceOnUse').attr('markerWidth', 9).attr('markerHeight', 9).attr('orient', 'auto')
      .append('path').attr('d', 'M0,0L6,3L0,6Z').attr('class', 'head');
  frames.forEach(frame => drawFrame(svg, frame, rows, left, box.width + 16 + right));
  drawEnds(svg, model, rows, tops, box, height);
  rows.forEach(row => { row.unlinked = null; });
  links.forEach(link => drawLink(svg, link, tops, box, rows));
  const total = d3.sum(rows, row => row.ms), longest = d3.max(rows, row => row.ms / row.count);
  const highlight = at => svg.selectAll('.edge').classed('current',
      edge => edge !== undefined && (edge.from === at || edge.to === at));
  svg.on('keydown.follow', () => requestAnimationFrame(() => {
    const chosen = svg.select('.node.current').node();
    if (chosen)
      chosen.scrollIntoView({block: 'nearest'});
  }));
  return rows.map((row, at) => {
    const node = drawBox(svg, row, {...box, y: tops[at]}, longest);
    if (row.unlinked)
      addText(svg, box.x + box.width - 8, tops[at] + 31, '\u21b7 #' + row.unlinked.join(', #'), {'text-anchor': 'end'});
    return {node, text: describeBox(row, commands, total), show: () => highlight(at), activate: () => showOp(model, row)};
  });
}
