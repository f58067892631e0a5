// Kernels of a training step compute the same as the graph: gradients, updates,
// states and losses of two steps, with and without fusion, for a CPU and a GPU.

// DEFINE: %{options} =
// DEFINE: %{entry} = train_step
// DEFINE: %{rate} = --set 2=0.01
// DEFINE: %{generate} = vit-opt %s -p 'builtin.module(func.func(vit-unroll-layers,vit-select-outputs),vit-generate-backward{%{options}})' -o %t.graph
// DEFINE: %{cpu} = vit-opt %t.graph -p 'builtin.module(func.func(vit-simplify,vit-convert-to-kernels,vit-fuse,vit-tile,vit-layout),vit-place-variables,vit-group-updates,func.func(vit-pack-parameters,vit-plan))' -o %t.cpu
// DEFINE: %{gpu} = vit-opt %t.graph -p 'builtin.module(func.func(vit-convert-to-kernels,vit-tile{target=vulkan},vit-layout))' -o %t.gpu
// DEFINE: %{compare} = vit-interpret %t.graph --batch=3 --classes=5 --entry %{entry} %{rate} --steps 2 --show-changed --against

// REDEFINE: %{options} = optimizer=adamw clip-norm=0.5 label-smoothing=0.1 frozen=positions
// RUN: %{generate} && %{cpu} && %{gpu}
// RUN: %{compare} %t.cpu
// RUN: %{compare} %t.gpu
// REDEFINE: %{options} = optimizer=sgd momentum=0.9 nesterov=true weight-decay=0.1 decay-all=true
// RUN: %{generate} && %{cpu} && %{gpu}
// RUN: %{compare} %t.cpu
// RUN: %{compare} %t.gpu
// REDEFINE: %{options} = optimizer=adam accumulate=3 frozen=positions,*.bias
// RUN: %{generate} && %{cpu} && %{gpu}
// RUN: %{compare} %t.cpu
// RUN: %{compare} %t.gpu
// REDEFINE: %{entry} = accumulate_step
// REDEFINE: %{rate} =
// RUN: %{compare} %t.cpu
// RUN: %{compare} %t.gpu
// REDEFINE: %{entry} = train_step
// REDEFINE: %{rate} = --set 2=0.01
// REDEFINE: %{options} = optimizer=sgd momentum=0 loss=mse output=pooled frozen=positions
// RUN: %{generate} && %{cpu} && %{gpu}
// RUN: %{compare} %t.cpu
// RUN: %{compare} %t.gpu
// REDEFINE: %{options} = optimizer=adamw soft-targets=true output=pooled trained=head,up.*,head_norm
// RUN: %{generate} && %{cpu} && %{gpu}
// RUN: %{compare} %t.cpu
// RUN: %{compare} %t.gpu
// REDEFINE: %{rate} =
// REDEFINE: %{options} = optimizer=none name=train_step frozen=positions
// RUN: %{generate} && %{cpu} && %{gpu}
// RUN: %{compare} %t.cpu
// RUN: %{compare} %t.gpu

// The texts differ, and the fused one has a gradient product with fused ops.
// RUN: grep -c 'kernel.map' %t.cpu | FileCheck %s --check-prefix=FEW
// RUN: grep -c 'kernel.map' %t.gpu | FileCheck %s --check-prefix=MANY
// FEW: {{^[1-3][0-9]$}}
// MANY: {{^[1-9][0-9][0-9]$}}

// A ViT with class and distillation token, a position table of another
// resolution, heads of 12 channels, norms of query and key, layer scale, four
// activations, a scale of one number, post-norm and mean pooling.
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

func.func @forward(%image: tensor<?x3x12x12xf32>) -> (tensor<?x5xf32> {vit.name = "logits"}, tensor<?x5xf32> {vit.name = "pooled"}) {
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
    %s0 = vit.silu %u : tensor<?x11x50xf32>
    %s1 = vit.gelu erf %s0 : tensor<?x11x50xf32>
    %s2 = vit.tanh %s1 : tensor<?x11x50xf32>
    %s3 = vit.gelu tanh %s2 : tensor<?x11x50xf32>
    %s4 = vit.relu %s3 : tensor<?x11x50xf32>
    %s = vit.gelu quick %s4 : tensor<?x11x50xf32>
    %dw = vit.read @down[%i] : tensor<24x50xf32>
    %d = vit.linear %s, %dw : (tensor<?x11x50xf32>, tensor<24x50xf32>) -> tensor<?x11x24xf32>
    %z0 = vit.add %r, %d : (tensor<?x11x24xf32>, tensor<?x11x24xf32>) -> tensor<?x11x24xf32>
    %z = vit.layer_norm %z0 scale %norm epsilon 1.0e-06 : (tensor<?x11x24xf32>, tensor<24xf32>) -> tensor<?x11x24xf32>
    vit.yield %z : tensor<?x11x24xf32>
  }
  %final = vit.layer_norm %y epsilon 1.0e-06 : (tensor<?x11x24xf32>) -> tensor<?x11x24xf32>
  %class = vit.take_tokens %final from 0 : (tensor<?x11x24xf32>) -> tensor<?x24xf32>
  %distilled = vit.take_tokens %final from 1 : (tensor<?x11x24xf32>) -> tensor<?x24xf32>
  %mean = vit.mean_tokens %final from 2 : (tensor<?x11x24xf32>) -> tensor<?x24xf32>
  %hw = vit.read @head : tensor<5x24xf32>
  %hb = vit.read @head.bias : tensor<5xf32>
  %logits = vit.linear %class, %hw, %hb : (tensor<?x24xf32>, tensor<5x24xf32>, tensor<5xf32>) -> tensor<?x5xf32>
  %both = vit.add %mean, %distilled : (tensor<?x24xf32>, tensor<?x24xf32>) -> tensor<?x24xf32>
  %pooled = vit.linear %both, %hw : (tensor<?x24xf32>, tensor<5x24xf32>) -> tensor<?x5xf32>
  %soft = vit.softmax %pooled : tensor<?x5xf32>
  %double = vit.scale %soft by 2.0 : tensor<?x5xf32>
  return %logits, %double : tensor<?x5xf32>, tensor<?x5xf32>
}
