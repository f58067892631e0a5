// How each level multiplies bf16 and f16.

// RUN: vit-opt %s --vit-emit-cpu=level=amx | FileCheck %s --check-prefixes=CHECK,AMX
// RUN: vit-opt %s --vit-emit-cpu=level=avx512_bf16 | FileCheck %s --check-prefixes=CHECK,DOT
// RUN: vit-opt %s --vit-emit-cpu=level=avx512 | FileCheck %s --check-prefixes=CHECK,WIDE
// RUN: vit-opt %s --vit-emit-cpu=level=avx2 | FileCheck %s --check-prefixes=CHECK,WIDE
// RUN: sed -e s/xbf16/xf16/ -e 's/, interleave = 2//' %s > %t.mlir
// RUN: vit-opt %t.mlir --vit-emit-cpu=level=amx | FileCheck %s --check-prefix=F16
// RUN: vit-opt %t.mlir --vit-emit-cpu=level=avx2 | FileCheck %s --check-prefix=F16
// RUN: vit-opt %s '--vit-emit-cpu=level=amx expand-tiles=true' | FileCheck %s --check-prefix=EXPANDED

!x = tensor<?x17x64xbf16, #kernel.blocked<rows = 16>>
!y = tensor<?x17x80xbf16, #kernel.blocked<rows = 16>>
!w = tensor<80x64xbf16, #kernel.panels<cols = 64, interleave = 2>>

// CHECK-LABEL: func.func @product
// CHECK:   kernel.dispatch @kernels::@gemm_0(%{{.+}}, %{{.+}}) units<times = 4>
// CHECK:   func.func @gemm_0(%[[X:[^:]+]]: memref<?xbf16>, %[[W:[^:]+]]: memref<?xbf16>, %[[Y:[^:]+]]: memref<?xbf16>,

// The registers are configured once, before all units.
// AMX:       llvm.call_intrinsic "llvm.x86.ldtilecfg"
// AMX:       scf.while
// Two row blocks by two vectors of columns: four registers of sums.
// AMX-COUNT-4: llvm.call_intrinsic "llvm.x86.tilezero"
// AMX-NOT:   tilezero
// AMX:       scf.for
// AMX-COUNT-2: llvm.call_intrinsic "llvm.x86.tileloadd64"
// AMX:       llvm.call_intrinsic "llvm.x86.tileloadd64"
// AMX-COUNT-2: llvm.call_intrinsic "llvm.x86.tdpbf16ps"
// AMX:       llvm.call_intrinsic "llvm.x86.tileloadd64"
// AMX-COUNT-2: llvm.call_intrinsic "llvm.x86.tdpbf16ps"
// The epilogue of the tile before.
// AMX:         arith.negf
// AMX:         arith.truncf {{.*}} to vector<16xbf16>
// AMX-COUNT-4: llvm.call_intrinsic "llvm.x86.tilestored64"
// AMX:       llvm.call_intrinsic "llvm.x86.tilerelease"

// DOT-NOT:   tile
// A word of the input, for all lanes, and a line of the panel.
// DOT:         vector.load %[[X]][{{.*}}] : memref<?xbf16>, vector<2xbf16>
// DOT:         llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"({{.*}}) : (vector<16xf32>, vector<32xbf16>, vector<32xbf16>) -> vector<16xf32>
// DOT:         arith.negf
// DOT:         arith.truncf {{.*}} to vector<16xbf16>
// Five vectors are two and a half lines, whose rest is zero.
// DOT:         scf.if
// DOT:           vector.store %{{.+}}, %[[Y]][{{.*}}] : memref<?xbf16>, vector<16xbf16>

// WIDE-NOT:  call_intrinsic
// The input is widened in scratch, once for all columns.
// WIDE:        arith.extf {{.*}} : vector<16xbf16> to vector<16xf32>
// WIDE:        vector.load %[[W]][{{.*}}] : memref<?xbf16>, vector<32xbf16>
// WIDE:        arith.shli
// WIDE:        arith.andi
// WIDE-COUNT-2: vector.fma
// WIDE:        arith.negf
// WIDE-NOT:  arith.truncf {{.*}} to vector<16xbf16>
// WIDE:        arith.trunci {{.*}} : vector<16xi32> to vector<16xi16>

// No level multiplies f16: the input is widened in scratch, a vector of the
// panel where it is loaded. What is beyond the range is replaced by a NaN.
// F16:       func.func @gemm_0(%[[X:[^:]+]]: memref<?xf16>, %[[W:[^:]+]]: memref<?xf16>,
// F16-NOT:   call_intrinsic
// F16:         memref.view %{{.+}} : memref<?xi8> to memref<?xf32>
// F16:         %[[HALVES:.+]] = vector.load %[[X]][{{.*}}] : memref<?xf16>, vector<16xf16>
// F16:         %[[LEFT:.+]] = arith.extf %[[HALVES]] : vector<16xf16> to vector<16xf32>
// F16:         vector.store %[[LEFT]], %{{.+}} : memref<?xf32>, vector<16xf32>
// F16:         %[[RIGHT:.+]] = vector.load %[[W]][{{.*}}] : memref<?xf16>, vector<16xf16>
// F16:         arith.extf %[[RIGHT]]
// F16:         memref.load %{{.+}} : memref<?xf32>
// F16:         vector.fma
// F16:         arith.negf
// F16:         arith.cmpf olt, {{.*}} : vector<16xf32>
// F16:         arith.select
// F16:         arith.truncf {{.*}} to vector<16xf16>

// EXPANDED-LABEL: func.func @gemm_0
// EXPANDED-DAG: memref.alloca() {{.*}} : memref<2048xf32>
// EXPANDED-DAG: memref.alloca() {{.*}} : memref<64xi8>
// EXPANDED-NOT: call_intrinsic
// EXPANDED:     vector.fma
// EXPANDED-NOT: call_intrinsic
// EXPANDED-NOT: arith.truncf {{.*}} to vector<16xbf16>
// EXPANDED:     return
func.func @product(%x: !x, %w: !w) -> !y {
  %y = kernel.gemm %x, %w tile<rows = 16, cols = 64, chunk = 2> slots [0] {
  ^bb0(%a: f32):
    %0 = arith.negf %a : f32
    kernel.yield %0 : f32
  } : (!x, !w) -> !y
  return %y : !y
}
