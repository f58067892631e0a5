# lit tests: target `check-lit`; for ctest, test `lit`.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
find_program(VIT_LIT NAMES lit llvm-lit HINTS ${LLVM_TOOLS_BINARY_DIR} NO_DEFAULT_PATH)
if(NOT VIT_LIT)
  find_program(VIT_LIT NAMES lit llvm-lit REQUIRED)
endif()
configure_file(lit.site.cfg.py.in lit.site.cfg.py @ONLY)
set(lit_depends)
foreach(tool vit-opt vit-lsp-server vit-interpret vit-compile vit-run vitrt-core-stub vit-docs)
  if(TARGET ${tool})
    list(APPEND lit_depends ${tool})
  endif()
endforeach()
add_custom_target(check-lit
  COMMAND ${VIT_LIT} -sv ${CMAKE_CURRENT_BINARY_DIR}
  DEPENDS ${lit_depends} USES_TERMINAL COMMENT "Running the text tests")
add_test(NAME lit COMMAND ${VIT_LIT} -sv ${CMAKE_CURRENT_BINARY_DIR})
