# Finds MLIR 22.1 and sets what AddMLIR needs. MLIRConfigVersion accepts the
# same major.minor only, and MLIRConfig.cmake does not export
# MLIR_LINK_MLIR_DYLIB (llvm-project issue 197175).
find_package(MLIR 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/mlir)
message(STATUS "MLIR ${LLVM_PACKAGE_VERSION} in ${MLIR_DIR}")
set(MLIR_LINK_MLIR_DYLIB ON)
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
set(LLVM_RUNTIME_OUTPUT_INTDIR ${CMAKE_BINARY_DIR}/bin)
set(LLVM_LIBRARY_OUTPUT_INTDIR ${CMAKE_BINARY_DIR}/lib)
include(TableGen)
include(AddLLVM)
include(AddMLIR)
separate_arguments(VIT_LLVM_DEFINITIONS NATIVE_COMMAND ${LLVM_DEFINITIONS})

# Adds sources to libvit-compiler.so. Every folder of lib/ calls it once.
function(vit_compiler_sources)
  list(TRANSFORM ARGV PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/")
  target_sources(vit-compiler PRIVATE ${ARGV})
endfunction()

# Installed files find LLVM's libraries in the location used by this build.
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)
