// Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a model gets wrong on labelled pictures.
'use strict';

/// A matrix beyond this is a list of what is confused most often.
const mostClasses = 40;

function confusionTable(pictures) {
  const counts = new Map(pictures.confusion.map(([own, predicted, count]) => [own + ' ' + predicted, count]));
  const used = [...new Set(pictures.confusion.flatMap(([own, predicted]) => [own, predicted]))].sort((a, b) => a - b);
  const sums = d3.nest().key(cell => cell[0]).rollup(list => d3.sum(list, cell => cell[2])).object(pictures.confusion);
  const name = index => pictures.classes[index];
  const head = element('tr', {}, element('th', {scope: 'col'}, 'class \\ predicted'),
      ...used.map(index => element('th', {scope: 'col', class: 'column'}, name(index))));
  const rows = used.map(own => element('tr', {}, element('th', {scope: 'row'}, name(own)), ...used.map(predicted => {
    const count = counts.get(own + ' ' + predicted) || 0, share = sums[own] ? count / sums[own] : 0;
    const cell = element('td', own === predicted ? {class: 'own'} : {}, count > 0 ? count : '');
    cell.style.background = `color-mix(in srgb, var(${own === predicted ? '--first' : '--second'}) ${Math.round(70 * share)}%, transparent)`;
    cell.title = `${count} of ${name(own)} are predicted as ${name(predicted)}`;
    return cell;
  })));
  return element('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Confusion matrix'},
      element('table', {class: 'confusion'}, element('thead', {}, head), element('tbody', {}, ...rows)));
}

function showConfusion(parent, pictures) {
  const used = new Set(pictures.confusion.flatMap(([own, predicted]) => [own, predicted]));
  parent.append(element('h3', {}, 'Confusion matrix'));
  if (used.size <= mostClasses)
    parent.append(element('p', {}, 'Rows are the classes of the pictures, columns what the model says; boxed cells are right.'), confusionTable(pictures));
  const wrong = pictures.confusion.filter(([own, predicted]) => own !== predicted).sort((a, b) => b[2] - a[2]);
  const list = table([['class', cell => pictures.classes[cell[0]]], ['predicted as', cell => pictures.classes[cell[1]]],
    ['pictures', cell => cell[2], true]], wrong.slice(0, 30));
  parent.append(element('details', used.size > mostClasses ? {open: ''} : {}, element('summary', {}, 'What is confused most often'), list));
}

/// Darkens the patches that get little attention, from black at the least to clear at
/// the largest weight.
function attentionCanvas(picture) {
  const {rows, columns, weights} = picture.attention;
  const canvas = element('canvas', {width: picture.width, height: picture.height, role: 'img', 'aria-label': 'Attention to the patches'});
  const image = new Image();
  image.addEventListener('load', () => {
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const shade = d3.scaleLinear(d3.extent(weights), [0.88, 0]);
    const width = picture.width / columns, height = picture.height / rows;
    weights.forEach((weight, index) => {
      context.fillStyle = `rgba(0, 0, 0, ${d3.max(weights) > d3.min(weights) ? shade(weight) : 0.4})`;
      context.fillRect((index % columns) * width, Math.floor(index / columns) * height, width, height);
    });
  });
  image.src = 'data:image/png;base64,' + picture.png;
  return canvas;
}

/// The name of a picture without the folder of the data.
function nameInData(pictures, picture) {
  const folder = pictures.data.replace(/\/*$/, '/');
  return picture.name.startsWith(folder) ? picture.name.slice(folder.length) : picture.name;
}

function showWrong(parent, pictures) {
  parent.append(element('h3', {}, 'Most wrong pictures'));
  if (pictures.wrong.length === 0) {
    parent.append(element('p', {}, pictures.top1_correct === pictures.images ? 'The model is right on all pictures.' : 'None were asked for.'));
    return;
  }
  parent.append(element('p', {}, pictures.attention_note ? 'Without attention: ' + pictures.attention_note
      : 'Beside each picture the attention of the last layer (mean over the heads): patches are darker the less they get.'));
  const list = element('div', {class: 'pictures'});
  for (const picture of pictures.wrong) {
    const own = pictures.classes[picture.class], predicted = pictures.classes[picture.predicted];
    const stack = element('div', {class: 'stack'}, element('img', {src: 'data:image/png;base64,' + picture.png, width: picture.width,
      height: picture.height, alt: `A picture of ${own} that is predicted as ${predicted}`}));
    if (picture.attention)
      stack.append(attentionCanvas(picture));
    list.append(element('figure', {}, stack, element('div', {}, element('b', {}, predicted), ' ' + percentText(picture.predicted_probability)),
        element('div', {}, 'is ' + own + ', ' + percentText(picture.probability)), element('div', {class: 'weak'}, nameInData(pictures, picture))));
  }
  parent.append(list);
}

function showPictures(all) {
  const parent = section('pictures', 'Pictures', 'Pictures of ' + all[0].data);
  const beside = element('div', {class: all.length > 1 ? 'beside' : ''});
  parent.append(beside);
  for (const pictures of all) {
    const box = element('div', {}, all.length > 1 ? element('h3', {}, pictures.model) : '');
    beside.append(box);
    box.append(facts([['Top-1', percentText(pictures.top1_correct / pictures.images)],
      ['Pictures', countText(pictures.images) + (pictures.split ? ' of ' + pictures.split : '')],
      ['Loss', numberText(pictures.loss)]].concat(pictures.classes.length > 5 ? [['Top-5', percentText(pictures.top5_correct / pictures.images)]] : [])
      .concat(pictures.unreadable > 0 ? [['Not readable', String(pictures.unreadable)]] : [])));
    showConfusion(box, pictures);
    showWrong(box, pictures);
  }
}
