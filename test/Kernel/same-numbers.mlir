// Kernels compute the same as the graph, with every optional pass and without
// each of them.

// DEFINE: %{convert} = vit-convert-to-kernels
// DEFINE: %{rest} = vit-tile,vit-layout,vit-plan
// DEFINE: %{select} = vit-unroll-layers,vit-select-outputs{outputs=logits,distilled,hidden_1,attention_0}
// DEFINE: %{interpret} = vit-interpret %s --outputs=logits,distilled,hidden_1,attention_0 --batch=3 --against

// RUN: vit-opt %s -p 'builtin.module(func.func(%{select},vit-simplify,vit-narrow-tokens,%{convert},vit-fuse,%{rest}))' -o %t.all
// RUN: %{interpret} %t.all
// RUN: vit-opt %s -p 'builtin.module(func.func(%{select},vit-narrow-tokens,%{convert},vit-fuse,%{rest}))' -o %t.no-simplify
// RUN: %{interpret} %t.no-simplify
// RUN: vit-opt %s -p 'builtin.module(func.func(%{select},vit-simplify,%{convert},vit-fuse,%{rest}))' -o %t.no-narrow
// RUN: %{interpret} %t.no-narrow
// RUN: vit-opt %s -p 'builtin.module(func.func(%{select},vit-simplify,vit-narrow-tokens,%{convert},%{rest}))' -o %t.no-fuse
// RUN: %{interpret} %t.no-fuse
// RUN: vit-opt %s -p 'builtin.module(func.func(%{select},%{convert},%{rest}))' -o %t.none
// RUN: %{interpret} %t.none

// The texts differ, so the comparisons above are meaningful.
// RUN: grep -c 'kernel.map' %t.none | FileCheck %s --check-prefix=MAPS
// RUN: not grep 'kernel.map' %t.all
// MAPS: {{^[1-9][0-9]}}

// A ViT with class and distillation token, a position table of another
// resolution, heads of 12 channels, norms of query and key, layer scale, SiLU
// and a scale of one number.
vit.parameter @patch.weight : tensor<24x48xf32> init<normal, 4.0e-01>
vit.parameter @patch.bias : tensor<24xf32> init<normal, 4.0e-01>
vit.parameter @tokens : tensor<2x24xf32> init<normal, 4.0e-01>
vit.parameter @positions : tensor<6x24xf32> init<normal, 4.0e-01>
vit.parameter @offset : tensor<1x1x24xf32> init<normal, 4.0e-01>
vit.parameter @gain : tensor<1xf32> init<normal, 4.0e-01>
vit.parameter @norm : 2 x tensor<24xf32> init<normal, 4.0e-01>
vit.parameter @shift : 2 x tensor<24xf32> init<normal, 4.0e-01>
vit.parameter @q : 2 x tensor<24x24xf32> init<normal, 4.0e-01>
vit.parameter @k : 2 x tensor<24x24xf32> init<normal, 4.0e-01>
vit.parameter @v : 2 x tensor<24x24xf32> init<normal, 4.0e-01>
vit.parameter @v.bias : 2 x tensor<24xf32> init<normal, 4.0e-01>
vit.parameter @head_norm : 2 x tensor<12xf32> init<normal, 4.0e-01>
vit.parameter @o : 2 x tensor<24x24xf32> init<normal, 4.0e-01>
vit.parameter @o.bias : 2 x tensor<24xf32> init<normal, 4.0e-01>
vit.parameter @gamma : 2 x tensor<24xf32> init<normal, 4.0e-01>
vit.parameter @up : 2 x tensor<50x24xf32> init<normal, 4.0e-01>
vit.parameter @up.bias : 2 x tensor<50xf32> init<normal, 4.0e-01>
vit.parameter @down : 2 x tensor<24x50xf32> init<normal, 4.0e-01>
vit.parameter @head : tensor<5x24xf32> init<normal, 4.0e-01>
vit.parameter @head.bias : tensor<5xf32> init<normal, 4.0e-01>

func.func @forward(%image: tensor<?x3x12x12xf32>) -> (tensor<?x5xf32> {vit.name = "logits"}) {
  %patches = vit.patchify %image patch [4, 4] order hwc : (tensor<?x3x12x12xf32>) -> tensor<?x9x48xf32>
  %pw = vit.read @patch.weight : tensor<24x48xf32>
  %pb = vit.read @patch.bias : tensor<24xf32>
  %embedded = vit.linear %patches, %pw, %pb : (tensor<?x9x48xf32>, tensor<24x48xf32>, tensor<24xf32>) -> tensor<?x9x24xf32>
  %tokens = vit.read @tokens : tensor<2x24xf32>
  %all = vit.prepend_tokens %embedded, %tokens : (tensor<?x9x24xf32>, tensor<2x24xf32>) -> tensor<?x11x24xf32>
  %table = vit.read @positions : tensor<6x24xf32>
  %resampled = vit.resample_positions %table from [2, 2] to [3, 3] prefix 2 : (tensor<6x24xf32>) -> tensor<11x24xf32>
  %offset = vit.read @offset : tensor<1x1x24xf32>
  %positions = vit.add %resampled, %offset : (tensor<11x24xf32>, tensor<1x1x24xf32>) -> tensor<1x11x24xf32>
  %placed = vit.add %all, %positions : (tensor<?x11x24xf32>, tensor<1x11x24xf32>) -> tensor<?x11x24xf32>
  %gain = vit.read @gain : tensor<1xf32>
  %amplified = vit.mul %placed, %gain : (tensor<?x11x24xf32>, tensor<1xf32>) -> tensor<?x11x24xf32>
  %dropped = vit.dropout %amplified probability 1.0e-01 : tensor<?x11x24xf32>
  %y = vit.layers 2 (%i, %x = %dropped) : tensor<?x11x24xf32> {
    vit.output "hidden_{}"[%i] = %x : tensor<?x11x24xf32>
    %norm = vit.read @norm[%i] : tensor<24xf32>
    %shift = vit.read @shift[%i] : tensor<24xf32>
    %n = vit.layer_norm %x scale %norm bias %shift epsilon 1.0e-06 : (tensor<?x11x24xf32>, tensor<24xf32>, tensor<24xf32>) -> tensor<?x11x24xf32>
    %qw = vit.read @q[%i] : tensor<24x24xf32>
    %kw = vit.read @k[%i] : tensor<24x24xf32>
    %vw = vit.read @v[%i] : tensor<24x24xf32>
    %vb = vit.read @v.bias[%i] : tensor<24xf32>
    %q0 = vit.linear %n, %qw : (tensor<?x11x24xf32>, tensor<24x24xf32>) -> tensor<?x11x24xf32>
    %k0 = vit.linear %n, %kw : (tensor<?x11x24xf32>, tensor<24x24xf32>) -> tensor<?x11x24xf32>
    %v = vit.linear %n, %vw, %vb : (tensor<?x11x24xf32>, tensor<24x24xf32>, tensor<24xf32>) -> tensor<?x11x24xf32>
    %hn = vit.read @head_norm[%i] : tensor<12xf32>
    %q = vit.layer_norm %q0 scale %hn epsilon 1.0e-06 groups 2 : (tensor<?x11x24xf32>, tensor<12xf32>) -> tensor<?x11x24xf32>
    %k = vit.layer_norm %k0 scale %hn epsilon 1.0e-06 groups 2 : (tensor<?x11x24xf32>, tensor<12xf32>) -> tensor<?x11x24xf32>
    %a, %p = vit.attention %q, %k, %v heads 2 scale 2.88e-01 : (tensor<?x11x24xf32>, tensor<?x11x24xf32>, tensor<?x11x24xf32>) -> (tensor<?x11x24xf32>, tensor<?x2x11x11xf32>)
    vit.output "attention_{}"[%i] = %p : tensor<?x2x11x11xf32>
    %ow = vit.read @o[%i] : tensor<24x24xf32>
    %ob = vit.read @o.bias[%i] : tensor<24xf32>
    %o = vit.linear %a, %ow, %ob : (tensor<?x11x24xf32>, tensor<24x24xf32>, tensor<24xf32>) -> tensor<?x11x24xf32>
    %gamma = vit.read @gamma[%i] : tensor<24xf32>
    %scaled = vit.layer_scale %o, %gamma : (tensor<?x11x24xf32>, tensor<24xf32>) -> tensor<?x11x24xf32>
    %path = vit.drop_path %scaled probability 1.0e-01 : tensor<?x11x24xf32>
    %r = vit.add %x, %path : (tensor<?x11x24xf32>, tensor<?x11x24xf32>) -> tensor<?x11x24xf32>
    %m = vit.layer_norm %r epsilon 1.0e-06 : (tensor<?x11x24xf32>) -> tensor<?x11x24xf32>
    %uw = vit.read @up[%i] : tensor<50x24xf32>
    %ub = vit.read @up.bias[%i] : tensor<50xf32>
    %u = vit.linear %m, %uw, %ub : (tensor<?x11x24xf32>, tensor<50x24xf32>, tensor<50xf32>) -> tensor<?x11x50xf32>
    %s = vit.silu %u : tensor<?x11x50xf32>
    %dw = vit.read @down[%i] : tensor<24x50xf32>
    %d = vit.linear %s, %dw : (tensor<?x11x50xf32>, tensor<24x50xf32>) -> tensor<?x11x24xf32>
    %z = vit.add %r, %d : (tensor<?x11x24xf32>, tensor<?x11x24xf32>) -> tensor<?x11x24xf32>
    vit.yield %z : tensor<?x11x24xf32>
  }
  %final = vit.layer_norm %y epsilon 1.0e-06 : (tensor<?x11x24xf32>) -> tensor<?x11x24xf32>
  %class = vit.take_tokens %final from 0 : (tensor<?x11x24xf32>) -> tensor<?x24xf32>
  %distilled = vit.take_tokens %final from 1 : (tensor<?x11x24xf32>) -> tensor<?x24xf32>
  vit.output "distilled" = %distilled : tensor<?x24xf32>
  %hw = vit.read @head : tensor<5x24xf32>
  %hb = vit.read @head.bias : tensor<5xf32>
  %logits = vit.linear %class, %hw, %hb : (tensor<?x24xf32>, tensor<5x24xf32>, tensor<5xf32>) -> tensor<?x5xf32>
  return %logits : tensor<?x5xf32>
}
