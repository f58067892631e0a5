// RUN: vit-opt %s --vit-generate-backward --mlir-use-nameloc-as-prefix | FileCheck %s
// RUN: vit-opt %s -p 'builtin.module(vit-generate-backward{optimizer=sgd momentum=0 clip-norm=1 frozen=encoder.*,norm.bias})' --mlir-use-nameloc-as-prefix | FileCheck %s --check-prefix=FROZEN
// RUN: vit-opt %s -p 'builtin.module(vit-generate-backward{optimizer=sgd nesterov=true momentum=0.8 weight-decay=0.1 trained=head.*})' | FileCheck %s --check-prefix=HEAD
// RUN: vit-opt %s -p 'builtin.module(vit-generate-backward{optimizer=adam beta1=0.8 beta2=0.99 epsilon=1e-6 weight-decay=0.05 decay-all=true accumulate=4 label-smoothing=0.1})' --mlir-use-nameloc-as-prefix | FileCheck %s --check-prefix=SUM
// RUN: vit-opt %s -p 'builtin.module(vit-generate-backward{optimizer=none loss=mse output=features name=gradients})' --mlir-use-nameloc-as-prefix | FileCheck %s --check-prefix=NONE
// RUN: vit-opt %s -p 'builtin.module(vit-generate-backward{soft-targets=true})' | FileCheck %s --check-prefix=SOFT
// The result can be parsed again.
// RUN: vit-opt %s --vit-generate-backward | vit-opt | vit-opt | FileCheck %s --check-prefix=AGAIN
// AGAIN: vit.adamw @head.weight

// The entry stays. States follow the parameters; states of layers are layers.
// CHECK: vit.parameter @head.weight
// CHECK-NEXT: vit.state @random_seed role "random_seed" : tensor<2xi32>
// CHECK-NEXT: vit.state @exp_avg.encoder.weight of @encoder.weight role "exp_avg" : 2 x tensor<4x4xf32>
// CHECK-NEXT: vit.state @exp_avg_sq.encoder.weight of @encoder.weight role "exp_avg_sq" : 2 x tensor<4x4xf32>
// CHECK: func.func @forward(
// CHECK: func.func @train_step(%[[X:.*]]: tensor<?x4xf32> {vit.name = "image"}, %labels: tensor<?xi32> {vit.classes = 3 : i64, vit.name = "labels", vit.role = #vit.role<targets>}, %learning_rate: tensor<f32> {vit.name = "learning_rate", vit.role = #vit.role<learning_rate>}, %step: tensor<i32> {vit.name = "step", vit.role = #vit.role<step>})
// CHECK-SAME: -> (tensor<f32> {vit.name = "loss", vit.role = #vit.role<loss>}, tensor<i32> {vit.name = "correct", vit.role = #vit.role<correct>})

// Forward: no outputs. Dropout is random and keyed by the name of its op.
// CHECK-NEXT: %random_seed = vit.read @random_seed : tensor<2xi32>
// CHECK-NEXT: %[[W0:.*]] = vit.read @encoder.weight[0]
// CHECK-NEXT: %fc0 = vit.linear %[[X]], %[[W0]]
// CHECK-NEXT: %[[D0:.*]] = vit.dropout %fc0 probability 1.000000e-01 random "drop", %random_seed, %step
// CHECK-NEXT: %act = vit.relu %[[D0]]
// CHECK-NEXT: %[[W1:.*]] = vit.read @encoder.weight[1]
// CHECK-NEXT: %fc1 = vit.linear %act, %[[W1]]
// CHECK-NEXT: %[[D1:.*]] = vit.dropout %fc1 probability 1.000000e-01 random "drop.1", %random_seed, %step
// CHECK-NEXT: vit.read @norm.weight
// CHECK-NEXT: vit.read @norm.bias
// CHECK-NEXT: %norm = vit.layer_norm %[[D1]]
// CHECK-NEXT: vit.read @head.weight
// CHECK-NEXT: %head = vit.linear %norm
// CHECK-NEXT: %loss = vit.cross_entropy %head, %labels : (tensor<?x3xf32>, tensor<?xi32>) -> tensor<f32>
// CHECK-NEXT: %correct = vit.accuracy %head, %labels

// Backward: no gradient of the image; the same masks.
// CHECK-NEXT: %[[ONE:.*]] = arith.constant dense<1.000000e+00> : tensor<f32>
// CHECK-NEXT: %[[DL:.*]] = vit.cross_entropy_backward %[[ONE]], %head, %labels
// CHECK-NEXT: %[[DN:.*]] = vit.linear_input_gradient %[[DL]]
// CHECK-NEXT: %[[GH:.*]] = vit.linear_weight_gradient %[[DL]], %norm
// CHECK-NEXT: %[[DX:.*]], %[[GS:.*]], %[[GB:.*]] = vit.layer_norm_backward %[[DN]], %[[D1]]
// CHECK-NEXT: %[[DD:.*]] = vit.dropout %[[DX]] probability 1.000000e-01 random "drop.1", %random_seed, %step
// CHECK-NEXT: %[[DA:.*]] = vit.linear_input_gradient %[[DD]], %[[W1]]
// CHECK-NEXT: %[[G1:.*]] = vit.linear_weight_gradient %[[DD]], %act
// CHECK-NEXT: %[[R:.*]] = vit.derivative relu %[[D0]]
// CHECK-NEXT: %[[M:.*]] = vit.mul %[[DA]], %[[R]]
// CHECK-NEXT: %[[DF:.*]] = vit.dropout %[[M]] probability 1.000000e-01 random "drop", %random_seed, %step
// CHECK-NEXT: %[[G0:.*]] = vit.linear_weight_gradient %[[DF]], %[[X]]

// Updates: weights of linear layers decay, those of the norm do not.
// CHECK-NEXT: vit.adamw @encoder.weight[0], %[[G0]] state @exp_avg.encoder.weight, @exp_avg_sq.encoder.weight learning_rate %learning_rate step %step betas [9.000000e-01, 9.990000e-01] epsilon 1.000000e-08 decay 1.000000e-02 :
// CHECK-NEXT: vit.adamw @encoder.weight[1], %[[G1]] {{.*}} decay 1.000000e-02 :
// CHECK-NEXT: vit.adamw @norm.weight, %[[GS]] state @exp_avg.norm.weight, @exp_avg_sq.norm.weight learning_rate %learning_rate step %step betas [9.000000e-01, 9.990000e-01] epsilon 1.000000e-08 : tensor<4xf32>
// CHECK-NEXT: vit.adamw @norm.bias, %[[GB]] {{.*}} epsilon 1.000000e-08 : tensor<4xf32>
// CHECK-NEXT: vit.adamw @head.weight, %[[GH]] {{.*}} decay 1.000000e-02 :
// CHECK-NEXT: return %loss, %correct : tensor<f32>, tensor<i32>

// Frozen parameters have no gradients; one clip factor for all others.
// FROZEN-NOT: exp_avg
// FROZEN-NOT: momentum_buffer
// FROZEN: func.func @train_step(
// FROZEN: %[[DL:.*]] = vit.cross_entropy_backward
// FROZEN-NEXT: %[[DN:.*]] = vit.linear_input_gradient %[[DL]]
// FROZEN-NEXT: %[[GH:.*]] = vit.linear_weight_gradient %[[DL]], %norm
// FROZEN-NEXT: %{{.*}}, %[[GS:.*]], %{{.*}} = vit.layer_norm_backward
// FROZEN-NEXT: %clip = vit.clip_by_global_norm %[[GS]], %[[GH]] max_norm 1.000000e+00 : (tensor<4xf32>, tensor<3x4xf32>) -> tensor<f32>
// FROZEN-NEXT: vit.sgd @norm.weight, %[[GS]] times %clip learning_rate %learning_rate : tensor<4xf32>
// FROZEN-NEXT: vit.sgd @head.weight, %[[GH]] times %clip learning_rate %learning_rate : tensor<3x4xf32>
// FROZEN-NEXT: return

// HEAD: vit.state @momentum_buffer.head.weight of @head.weight role "momentum_buffer" : tensor<3x4xf32>
// HEAD: %[[DL:.*]] = vit.cross_entropy_backward
// HEAD-NEXT: %[[GH:.*]] = vit.linear_weight_gradient %[[DL]]
// HEAD-NEXT: vit.sgd @head.weight, %[[GH]] state @momentum_buffer.head.weight learning_rate %{{.*}} momentum 8.000000e-01 nesterov decay 1.000000e-01 : tensor<3x4xf32>
// HEAD-NEXT: return

// Four micro-batches: a quarter of each gradient is added to a state.
// SUM: vit.state @gradient.encoder.weight of @encoder.weight role "gradient" : 2 x tensor<4x4xf32>
// SUM: func.func @accumulate_step(%{{.*}}: tensor<?x4xf32> {vit.name = "image"}, %labels: tensor<?xi32> {vit.classes = 3 : i64, vit.name = "labels", vit.role = #vit.role<targets>}, %step: tensor<i32> {vit.name = "step", vit.role = #vit.role<step>})
// SUM: arith.constant dense<2.500000e-01> : tensor<f32>
// SUM: vit.cross_entropy_backward {{.*}} smoothing 1.000000e-01
// SUM: %[[G:.*]] = vit.linear_weight_gradient
// SUM: %[[S:.*]] = vit.read @gradient.encoder.weight[0]
// SUM-NEXT: %[[T:.*]] = vit.add %[[S]], %{{.*}} :
// SUM-NEXT: vit.write @gradient.encoder.weight[0], %[[T]] : tensor<4x4xf32>
// SUM-NOT: vit.adam
// SUM: return
// SUM: func.func @train_step(
// SUM: %[[S:.*]] = vit.read @gradient.encoder.weight[0]
// SUM-NEXT: %[[T:.*]] = vit.add %[[S]], %{{.*}} :
// SUM: vit.adam @encoder.weight[0], %[[T]] {{.*}} betas [8.000000e-01, 9.900000e-01] epsilon {{9.99.*E-7|1.000000e-06}} decay 5.000000e-02 every 4 :
// SUM: vit.adam @norm.bias, {{.*}} decay 5.000000e-02 every 4 :
// SUM: %[[Z:.*]] = arith.constant dense<0.000000e+00> : tensor<4x4xf32>
// SUM-NEXT: vit.write @gradient.encoder.weight[0], %[[Z]] : tensor<4x4xf32>

// The loss of another output, with gradients as results; the head is unused.
// NONE: func.func @gradients(%{{.*}}, %labels: tensor<?x4xf32> {vit.name = "labels", vit.role = #vit.role<targets>}, %step: tensor<i32> {vit.name = "step", vit.role = #vit.role<step>})
// NONE-SAME: -> (tensor<f32> {vit.name = "loss", vit.role = #vit.role<loss>}, tensor<4x4xf32> {vit.name = "gradient.encoder.weight.0"}, tensor<4x4xf32> {vit.name = "gradient.encoder.weight.1"}, tensor<4xf32> {vit.name = "gradient.norm.weight"}, tensor<4xf32> {vit.name = "gradient.norm.bias"})
// NONE-NOT: head
// NONE: %loss = vit.mse %norm, %labels
// NONE: vit.mse_backward
// NONE: return %loss, %

// SOFT: func.func @train_step(%{{.*}}, %arg1: tensor<?x3xf32> {vit.name = "labels", vit.role = #vit.role<targets>}
// SOFT: vit.cross_entropy %{{.*}}, %arg1 : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<f32>

vit.parameter @encoder.weight : 2 x tensor<4x4xf32>
vit.parameter @norm.weight : tensor<4xf32>
vit.parameter @norm.bias : tensor<4xf32>
vit.parameter @head.weight : tensor<3x4xf32>

func.func @forward(%x: tensor<?x4xf32> {vit.name = "image"}) -> (tensor<?x3xf32> {vit.name = "logits"}, tensor<?x4xf32> {vit.name = "features"}) {
  %w0 = vit.read @encoder.weight[0] : tensor<4x4xf32>
  %0 = vit.linear %x, %w0 : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32> loc("fc0")
  %1 = vit.dropout %0 probability 0.1 : tensor<?x4xf32> loc("drop")
  %2 = vit.relu %1 : tensor<?x4xf32> loc("act")
  vit.output "hidden" = %2 : tensor<?x4xf32>
  %w1 = vit.read @encoder.weight[1] : tensor<4x4xf32>
  %3 = vit.linear %2, %w1 : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32> loc("fc1")
  %4 = vit.dropout %3 probability 0.1 : tensor<?x4xf32> loc("drop")
  %5 = vit.drop_path %4 probability 0.0 : tensor<?x4xf32> loc("path")
  %s = vit.read @norm.weight : tensor<4xf32>
  %b = vit.read @norm.bias : tensor<4xf32>
  %6 = vit.layer_norm %5 scale %s bias %b epsilon 1.0e-6 : (tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4xf32> loc("norm")
  %h = vit.read @head.weight : tensor<3x4xf32>
  %7 = vit.linear %6, %h : (tensor<?x4xf32>, tensor<3x4xf32>) -> tensor<?x3xf32> loc("head")
  return %7, %6 : tensor<?x3xf32>, tensor<?x4xf32>
}
