# How every target of the project is built: one set of flags, one precompiled
# header, LLVM and MLIR as dylibs.

add_library(cornu_flags INTERFACE)
target_compile_options(cornu_flags INTERFACE -Wall -Wextra -Wno-unused-parameter
                                             -fvisibility-inlines-hidden)
if(CORNU_WARNINGS_AS_ERRORS)
  target_compile_options(cornu_flags INTERFACE -Werror)
endif()
if(CORNU_SANITIZE)
  target_compile_options(cornu_flags INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all
    -fno-omit-frame-pointer -fno-sanitize=vptr)
  target_link_options(cornu_flags INTERFACE -fsanitize=address,undefined)
endif()

# The compiler's own flags: MLIR's headers are system headers, so that their
# warnings are not ours; no exceptions and no RTTI, as in LLVM.
add_library(cornu_compiler_flags INTERFACE)
target_link_libraries(cornu_compiler_flags INTERFACE cornu_flags)
target_include_directories(cornu_compiler_flags INTERFACE
  ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR})
target_include_directories(cornu_compiler_flags SYSTEM INTERFACE
  ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
target_compile_definitions(cornu_compiler_flags INTERFACE ${LLVM_DEFINITIONS})
target_compile_options(cornu_compiler_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-rtti>)
# The same header makes the same file, whenever it was made: ccache's condition.
target_compile_options(cornu_compiler_flags INTERFACE
  $<$<COMPILE_LANG_AND_ID:CXX,Clang>:SHELL:-Xclang -fno-pch-timestamp>)

# One precompiled header for all files that include MLIR: half of the build
# time on two cores.
add_library(cornu_pch OBJECT ${PROJECT_SOURCE_DIR}/cmake/Precompiled.cpp)
target_link_libraries(cornu_pch PRIVATE cornu_compiler_flags)
target_precompile_headers(cornu_pch PRIVATE ${PROJECT_SOURCE_DIR}/cmake/Precompiled.h)

# cornu_library(NAME SOURCES a.cpp ... LINK OtherLibrary ... DEPENDS Generated ... [NO_PCH])
function(cornu_library name)
  cmake_parse_arguments(ARG "NO_PCH" "" "SOURCES;LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC cornu_compiler_flags ${ARG_LINK})
  if(NOT ARG_NO_PCH)
    target_precompile_headers(${name} REUSE_FROM cornu_pch)
  endif()
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# cornu_executable(NAME SOURCES a.cpp ... LINK Library ... [NO_PCH])
function(cornu_executable name)
  cmake_parse_arguments(ARG "NO_PCH" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  # As position independent as the precompiled header, which serves libraries.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  target_link_libraries(${name} PRIVATE cornu_compiler_flags ${ARG_LINK} MLIR LLVM)
  if(NOT ARG_NO_PCH)
    target_precompile_headers(${name} REUSE_FROM cornu_pch)
  endif()
endfunction()

# cornu_unit_test(NAME SOURCES a.cpp ... LINK Library ...): a GoogleTest
# executable build/bin/NAME, registered with CTest.
find_package(GTest REQUIRED)
function(cornu_unit_test name)
  cmake_parse_arguments(ARG "NO_PCH" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  # As position independent as the precompiled header, which serves libraries.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  target_link_libraries(${name} PRIVATE cornu_compiler_flags ${ARG_LINK} GTest::gtest GTest::gtest_main)
  if(NOT ARG_NO_PCH)
    target_link_libraries(${name} PRIVATE MLIR LLVM)
    target_precompile_headers(${name} REUSE_FROM cornu_pch)
  endif()
  add_test(NAME ${name} COMMAND ${name})
endfunction()
