// RUN: vit-interpret %s --entry losses --values=-1 | FileCheck %s --check-prefix=LOSSES
// RUN: vit-interpret %s --entry sgd --set 0=0.1 --steps 2 --show-changed --start w=1,-2,0.5,0 | FileCheck %s --check-prefix=PLAIN
// RUN: vit-interpret %s --entry momentum --set 0=0.1 --steps 2 --show-changed --start w=1,-2,0.5,0 | FileCheck %s --check-prefix=MOMENTUM
// RUN: vit-interpret %s --entry nesterov --set 0=0.1 --steps 2 --show-changed --start layered.1=1,-2,0.5,0 | FileCheck %s --check-prefix=NESTEROV
// RUN: vit-interpret %s --entry adam --set 0=0.1 --steps 2 --show-changed --start w=1,-2,0.5,0 | FileCheck %s --check-prefix=ADAM
// RUN: vit-interpret %s --entry adamw --set 0=0.1 --steps 2 --show-changed --start w=1,-2,0.5,0 | FileCheck %s --check-prefix=ADAMW
// RUN: vit-interpret %s --entry every --set 0=0.1 --steps 2 --show-changed --start w=1,-2,0.5,0 | FileCheck %s --check-prefix=EVERY
// RUN: vit-interpret %s --entry clip | FileCheck %s --check-prefix=CLIP
// RUN: vit-interpret %s --entry sum --steps 3 --show-changed | FileCheck %s --check-prefix=SUM
// RUN: not vit-interpret %s --entry bad_label 2>&1 | FileCheck %s --check-prefix=LABEL

// Expected: torch.nn.functional.cross_entropy and mse_loss in double.
func.func @losses() -> (tensor<f32> {vit.name = "ce"}, tensor<2x4xf32> {vit.name = "d_ce"}, tensor<f32> {vit.name = "smooth"}, tensor<2x4xf32> {vit.name = "d_smooth"},
    tensor<f32> {vit.name = "soft"}, tensor<2x4xf32> {vit.name = "d_soft"}, tensor<f32> {vit.name = "mse"}, tensor<2x4xf32> {vit.name = "d_mse"},
    tensor<i32> {vit.name = "right"}, tensor<i32> {vit.name = "soft_right"}, tensor<i32> {vit.name = "ties"}, tensor<f32> {vit.name = "large"}) {
  %x = arith.constant dense<[[1.0, 2.0, 4.0, -1.0], [0.5, -1.0, 3.0, 2.0]]> : tensor<2x4xf32>
  %labels = arith.constant dense<[2, 0]> : tensor<2xi32>
  %t = arith.constant dense<[[0.125, 0.25, 0.25, 0.375], [0.75, 0.125, 0.0, 0.125]]> : tensor<2x4xf32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %half = arith.constant dense<0.5> : tensor<f32>
  // LOSSES: ce [] {{.*}}: 1.52980353{{$}}
  %0 = vit.cross_entropy %x, %labels : (tensor<2x4xf32>, tensor<2xi32>) -> tensor<f32>
  // LOSSES: d_ce [2, 4] {{.*}}: 0.0104431426 0.0283874048 -0.0402438731 0.00141332567 -0.236023614 0.00311855333 0.170267242 0.062637818{{$}}
  %1 = vit.cross_entropy_backward %half, %x, %labels : (tensor<f32>, tensor<2x4xf32>, tensor<2xi32>) -> tensor<2x4xf32>
  // LOSSES: smooth [] {{.*}}: 1.62355353{{$}}
  %2 = vit.cross_entropy %x, %labels smoothing 0.1 : (tensor<2x4xf32>, tensor<2xi32>) -> tensor<f32>
  // LOSSES: d_smooth [2, 4] {{.*}}: 0.00419314263 0.0221374048 -0.0214938731 -0.00483667433 -0.217273614 -0.00313144667 0.164017242 0.056387818{{$}}
  %3 = vit.cross_entropy_backward %half, %x, %labels smoothing 0.1 : (tensor<f32>, tensor<2x4xf32>, tensor<2xi32>) -> tensor<2x4xf32>
  // LOSSES: soft [] {{.*}}: 2.86105353{{$}}
  %4 = vit.cross_entropy %x, %t smoothing 0.1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<f32>
  // LOSSES: d_soft [2, 4] {{.*}}: -0.0478637147 -0.0682251903 0.294512254 -0.178423349 -0.322047227 -0.0625128933 0.328034485 0.0565256359{{$}}
  %5 = vit.cross_entropy_backward %one, %x, %t smoothing 0.1 : (tensor<f32>, tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  // LOSSES: mse [] {{.*}}: 4.203125{{$}}
  %6 = vit.mse %x, %t : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<f32>
  // LOSSES: d_mse [2, 4] {{.*}}: 0.21875 0.4375 0.9375 -0.34375 -0.0625 -0.28125 0.75 0.46875{{$}}
  %7 = vit.mse_backward %one, %x, %t : (tensor<f32>, tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xf32>
  // LOSSES: right [] {{.*}}: 1{{$}}
  %8 = vit.accuracy %x, %labels : (tensor<2x4xf32>, tensor<2xi32>) -> tensor<i32>
  // LOSSES: soft_right [] {{.*}}: 0{{$}}
  %9 = vit.accuracy %x, %t : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<i32>
  // Of equal logits the first counts; a NaN is never correct.
  // LOSSES: ties [] {{.*}}: 1{{$}}
  %equal = arith.constant dense<[[0.0, 1.0, 1.0], [0x7FC00000, 1.0, 0.0]]> : tensor<2x3xf32>
  %ones = arith.constant dense<[1, 1]> : tensor<2xi32>
  %10 = vit.accuracy %equal, %ones : (tensor<2x3xf32>, tensor<2xi32>) -> tensor<i32>
  // The maximum logit is subtracted first.
  // LOSSES: large [] {{.*}}: 20000{{$}}
  %huge = arith.constant dense<[[1.0e+4, -1.0e+4]]> : tensor<1x2xf32>
  %last = arith.constant dense<[1]> : tensor<1xi32>
  %11 = vit.cross_entropy %huge, %last : (tensor<1x2xf32>, tensor<1xi32>) -> tensor<f32>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11 : tensor<f32>, tensor<2x4xf32>, tensor<f32>, tensor<2x4xf32>, tensor<f32>, tensor<2x4xf32>, tensor<f32>, tensor<2x4xf32>, tensor<i32>, tensor<i32>, tensor<i32>, tensor<f32>
}

// LABEL: error: loss: label 2 of image 1 is not one of 2 classes, 0 to 1
func.func @bad_label() -> tensor<f32> {
  %x = arith.constant dense<[[1.0, 2.0], [0.5, -1.0]]> : tensor<2x2xf32>
  %labels = arith.constant dense<[1, 2]> : tensor<2xi32>
  %0 = vit.cross_entropy %x, %labels : (tensor<2x2xf32>, tensor<2xi32>) -> tensor<f32> loc("loss")
  return %0 : tensor<f32>
}

vit.parameter @w : tensor<4xf32>
vit.parameter @layered : 2 x tensor<4xf32>
vit.state @a : tensor<4xf32>
vit.state @b : tensor<4xf32>
vit.state @a.layered : 2 x tensor<4xf32>

// torch.optim.SGD, Adam, AdamW: two steps of 0.1 from (1, -2, 0.5, 0).
// PLAIN: w [4] {{.*}}: 0.9 -1.8 0.5 -0.4{{$}}
func.func @sgd(%rate: tensor<f32>) {
  %g = arith.constant dense<[0.5, -1.0, 0.0, 2.0]> : tensor<4xf32>
  vit.sgd @w, %g learning_rate %rate : tensor<4xf32>
  return
}
// MOMENTUM: a [4] {{.*}}: 0.96849 -1.93698 0.009495 3.798{{$}}
// MOMENTUM: w [4] {{.*}}: 0.852151 -1.704302 0.4985505 -0.5798{{$}}
func.func @momentum(%rate: tensor<f32>) {
  %g = arith.constant dense<[0.5, -1.0, 0.0, 2.0]> : tensor<4xf32>
  vit.sgd @w, %g state @a learning_rate %rate momentum 0.9 decay 0.01 : tensor<4xf32>
  return
}
// Clipped to a norm of 1, also for one layer.
// NESTEROV: a.layered.1 [4] {{.*}}: 0.433180197 -0.866360393 0.0094905 1.65679679{{$}}
// NESTEROV: layered.1 [4] {{.*}}: 0.894873983 -1.78974797 0.497696805 -0.402078507{{$}}
// NESTEROV-NOT: layered.0
func.func @nesterov(%rate: tensor<f32>) {
  %g = arith.constant dense<[0.5, -1.0, 0.0, 2.0]> : tensor<4xf32>
  %clip = vit.clip_by_global_norm %g max_norm 1.0 : (tensor<4xf32>) -> tensor<f32>
  vit.sgd @layered[1], %g times %clip state @a.layered learning_rate %rate momentum 0.9 nesterov decay 0.01 : tensor<4xf32>
  return
}
// ADAM: a [4] {{.*}}: 0.0968 -0.1937 0.0008500002{{[0-9]*}} 0.3799{{$}}
// ADAM: b [4] {{.*}}: 0.0005189209 0.0020777206{{[0-9]*}} 4.0975016{{[0-9]*}}e-08 0.007992001{{$}}
// ADAM: w [4] {{.*}}: 0.800005168 -1.80000257 0.301187834 -0.199998692{{$}}
func.func @adam(%rate: tensor<f32>, %step: tensor<i32>) {
  %g = arith.constant dense<[0.5, -1.0, 0.0, 2.0]> : tensor<4xf32>
  vit.adam @w, %g state @a, @b learning_rate %rate step %step betas [0.9, 0.999] epsilon 1.0e-8 decay 0.01 : tensor<4xf32>
  return
}
// ADAMW: a [4] {{.*}}: 0.041461381 -0.0829227621 0 0.165845524{{$}}
// ADAMW: b [4] {{.*}}: 9.51903931e-05 0.000380761572 0 0.00152304629{{$}}
// ADAMW: w [4] {{.*}}: 0.798101009 -1.796102 0.4990005 -0.199899998{{$}}
func.func @adamw(%rate: tensor<f32>, %step: tensor<i32>) {
  %g = arith.constant dense<[0.5, -1.0, 0.0, 2.0]> : tensor<4xf32>
  %clip = vit.clip_by_global_norm %g max_norm 1.0 : (tensor<4xf32>) -> tensor<f32>
  vit.adamw @w, %g times %clip state @a, @b learning_rate %rate step %step betas [0.9, 0.999] epsilon 1.0e-8 decay 0.01 : tensor<4xf32>
  return
}
// Of four micro-batches the first two belong to update 1, the others to update
// 2: steps 0 and 1 use the bias correction of update 1.
// EVERY: w [4] {{.*}}: 0.765616115 {{.*}}
func.func @every(%rate: tensor<f32>, %step: tensor<i32>) {
  %g = arith.constant dense<[0.5, -1.0, 0.0, 2.0]> : tensor<4xf32>
  vit.adam @w, %g state @a, @b learning_rate %rate step %step betas [0.9, 0.999] epsilon 1.0e-8 every 2 : tensor<4xf32>
  return
}

// The norm of both together; nothing changes below the bound.
// CLIP: clipped [] {{.*}}: 0.3846153{{[0-9]*}}
// CLIP: kept [] {{.*}}: 1{{$}}
func.func @clip() -> (tensor<f32> {vit.name = "clipped"}, tensor<f32> {vit.name = "kept"}) {
  %x = arith.constant dense<[3.0, 4.0]> : tensor<2xf32>
  %y = arith.constant dense<[[12.0]]> : tensor<1x1xf32>
  %0 = vit.clip_by_global_norm %x, %y max_norm 5.0 : (tensor<2xf32>, tensor<1x1xf32>) -> tensor<f32>
  %1 = vit.clip_by_global_norm %x, %y max_norm 13.1 : (tensor<2xf32>, tensor<1x1xf32>) -> tensor<f32>
  return %0, %1 : tensor<f32>, tensor<f32>
}

// A state is zero initially and keeps written values.
// SUM: a [4] {{.*}}: 3 6 -1.5 0{{$}}
func.func @sum() {
  %a = vit.read @a : tensor<4xf32>
  %g = arith.constant dense<[1.0, 2.0, -0.5, 0.0]> : tensor<4xf32>
  %s = vit.add %a, %g : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  vit.write @a, %s : tensor<4xf32>
  return
}
