// Kernels compute the same as the graph for a model with a remainder of pixels, RMS norms, gated MLPs, pooling by a
// learned query, concatenation and L2 normalisation: outputs, and gradients, updates and losses of two steps.

// RUN: vit-opt %s -p 'builtin.module(func.func(vit-unroll-layers,vit-select-outputs{outputs=logits,embedding},vit-simplify,vit-narrow-tokens,vit-convert-to-kernels,vit-fuse,vit-tile,vit-layout,vit-plan))' -o %t.forward
// RUN: vit-interpret %s --outputs=logits,embedding --batch=3 --against %t.forward
// RUN: vit-opt %s -p 'builtin.module(func.func(vit-unroll-layers,vit-select-outputs),vit-generate-backward{optimizer=adamw clip-norm=0.5})' -o %t.graph
// RUN: vit-opt %t.graph -p 'builtin.module(func.func(vit-simplify,vit-convert-to-kernels,vit-fuse,vit-tile,vit-layout),vit-place-variables,vit-group-updates,func.func(vit-pack-parameters,vit-plan))' -o %t.cpu
// RUN: vit-opt %t.graph -p 'builtin.module(func.func(vit-convert-to-kernels,vit-tile{target=vulkan},vit-layout))' -o %t.gpu
// RUN: vit-interpret %t.graph --batch=3 --classes=5 --entry train_step --set 2=0.01 --steps 2 --show-changed --against %t.cpu
// RUN: vit-interpret %t.graph --batch=3 --classes=5 --entry train_step --set 2=0.01 --steps 2 --show-changed --against %t.gpu

// A gated MLP is two products.
// RUN: FileCheck %s < %t.forward
// CHECK: kernel.rows rms
// CHECK: kernel.gemm
// CHECK: kernel.gemm
// CHECK-NOT: kernel.gemm
// CHECK-NOT: kernel.map
// CHECK: kernel.rows normalize
// CHECK: kernel.concat_channels

!tokens = tensor<?x6x24xf32>
!wide = tensor<?x6x20xf32>
!pool = tensor<?x1x24xf32>
vit.parameter @patch.weight : tensor<24x48xf32> init<normal, 4.0e-01>
vit.parameter @norm : 2 x tensor<24xf32> init<normal, 4.0e-01>
vit.parameter @gate : 2 x tensor<20x24xf32> init<normal, 4.0e-01> stored<"mlp.{}.w12", [40, 24], 0 to 20>
vit.parameter @up : 2 x tensor<20x24xf32> init<normal, 4.0e-01> stored<"mlp.{}.w12", [40, 24], 20 to 40>
vit.parameter @gate.bias : 2 x tensor<20xf32> init<normal, 4.0e-01> stored<"mlp.{}.b12", [40], 0 to 20>
vit.parameter @up.bias : 2 x tensor<20xf32> init<normal, 4.0e-01> stored<"mlp.{}.b12", [40], 20 to 40>
vit.parameter @inner : 2 x tensor<20xf32> init<normal, 4.0e-01>
vit.parameter @down : 2 x tensor<24x20xf32> init<normal, 4.0e-01>
vit.parameter @probe : tensor<1x24xf32> init<normal, 4.0e-01>
vit.parameter @q : tensor<24x24xf32> init<normal, 4.0e-01>
vit.parameter @k : tensor<24x24xf32> init<normal, 4.0e-01>
vit.parameter @v : tensor<24x24xf32> init<normal, 4.0e-01>
vit.parameter @head_norm : tensor<12xf32> init<normal, 4.0e-01>
vit.parameter @head : tensor<5x48xf32> init<normal, 4.0e-01>

func.func @forward(%image: tensor<?x3x10x13xf32>) -> (tensor<?x5xf32> {vit.name = "logits"}) {
  %patches = vit.patchify %image patch [4, 4] order chw : (tensor<?x3x10x13xf32>) -> tensor<?x6x48xf32>
  %pw = vit.read @patch.weight : tensor<24x48xf32>
  %embedded = vit.linear %patches, %pw : (tensor<?x6x48xf32>, tensor<24x48xf32>) -> !tokens
  %y = vit.layers 2 (%i, %x = %embedded) : !tokens {
    %scale = vit.read @norm[%i] : tensor<24xf32>
    %n = vit.rms_norm %x scale %scale epsilon 1.0e-05 : (!tokens, tensor<24xf32>) -> !tokens
    %gw = vit.read @gate[%i] : tensor<20x24xf32>
    %gb = vit.read @gate.bias[%i] : tensor<20xf32>
    %uw = vit.read @up[%i] : tensor<20x24xf32>
    %ub = vit.read @up.bias[%i] : tensor<20xf32>
    %g = vit.linear %n, %gw, %gb : (!tokens, tensor<20x24xf32>, tensor<20xf32>) -> !wide
    %s = vit.silu %g : !wide
    %u = vit.linear %n, %uw, %ub : (!tokens, tensor<20x24xf32>, tensor<20xf32>) -> !wide
    %p = vit.mul %s, %u : (!wide, !wide) -> !wide
    %is = vit.read @inner[%i] : tensor<20xf32>
    %in = vit.layer_norm %p scale %is epsilon 1.0e-06 : (!wide, tensor<20xf32>) -> !wide
    %dw = vit.read @down[%i] : tensor<24x20xf32>
    %d = vit.linear %in, %dw : (!wide, tensor<24x20xf32>) -> !tokens
    %z = vit.add %x, %d : (!tokens, !tokens) -> !tokens
    vit.yield %z : !tokens
  }
  %probe = vit.read @probe : tensor<1x24xf32>
  %token = vit.repeat_tokens %probe for %y : (tensor<1x24xf32>, !tokens) -> !pool
  %qw = vit.read @q : tensor<24x24xf32>
  %kw = vit.read @k : tensor<24x24xf32>
  %vw = vit.read @v : tensor<24x24xf32>
  %query = vit.linear %token, %qw : (!pool, tensor<24x24xf32>) -> !pool
  %k0 = vit.linear %y, %kw : (!tokens, tensor<24x24xf32>) -> !tokens
  %hn = vit.read @head_norm : tensor<12xf32>
  %key = vit.rms_norm %k0 scale %hn epsilon 1.0e-06 groups 2 : (!tokens, tensor<12xf32>) -> !tokens
  %value = vit.linear %y, %vw : (!tokens, tensor<24x24xf32>) -> !tokens
  %a = vit.attention %query, %key, %value heads 2 scale 2.88e-01 : (!pool, !tokens, !tokens) -> !pool
  %r = vit.linear %a, %qw : (!pool, tensor<24x24xf32>) -> !pool
  %gelu = vit.gelu tanh %r : !pool
  %residual = vit.add %a, %gelu : (!pool, !pool) -> !pool
  %pooled = vit.take_tokens %residual from 0 : (!pool) -> tensor<?x24xf32>
  %mean = vit.mean_tokens %y from 0 : (!tokens) -> tensor<?x24xf32>
  %both = vit.concat_channels %pooled, %mean : (tensor<?x24xf32>, tensor<?x24xf32>) -> tensor<?x48xf32>
  %unit = vit.l2_normalize %both epsilon 1.0e-12 : (tensor<?x48xf32>) -> tensor<?x48xf32>
  vit.output "embedding" = %unit : tensor<?x48xf32>
  %hw = vit.read @head : tensor<5x48xf32>
  %logits = vit.linear %unit, %hw : (tensor<?x48xf32>, tensor<5x48xf32>) -> tensor<?x5xf32>
  return %logits : tensor<?x5xf32>
}
