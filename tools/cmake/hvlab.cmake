# What every folder's CMakeLists uses.
#
#   hvlab_unit_test(NAME name SOURCES ... LIBRARIES ...)   a cmocka test, run by ctest with label "unit"
#   hvlab_fuzz_target(NAME name SOURCES ... LIBRARIES ...) a libFuzzer target (clang) or a corpus runner (gcc)
#   hvlab_generate(OUTPUT file TABLE table GENERATOR script [DEPENDS files]) runs tools/gen/<script> TABLE > OUTPUT
#   hvlab_objects(NAME name SOURCES ... [SECTION s])       freestanding objects for images
#   hvlab_image(NAME name SCRIPT ld OBJECTS ...)           links an ELF image for the machine; images/debug has it with -g
#
# Images are always built by gcc with fixed flags, whatever compiler builds the
# program: the same image in every build is what makes state hashes comparable.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release)
endif()
option(HVLAB_SANITIZE "build with ASan and UBSan" OFF)

set(CMAKE_C_FLAGS_RELEASE "-O2 -g")   # assertions stay on in every build
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")
add_compile_options(-Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wvla
    -fno-strict-aliasing -ffp-contract=off -fno-math-errno -fno-common
    -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-format-truncation)  # cutting a message or path is what snprintf is for
endif()
if(HVLAB_SANITIZE)
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    add_link_options(-fsanitize=address,undefined)
endif()

find_package(PkgConfig REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
pkg_check_modules(CAPSTONE REQUIRED IMPORTED_TARGET capstone)
pkg_check_modules(UNICORN REQUIRED IMPORTED_TARGET unicorn)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(PCAP REQUIRED IMPORTED_TARGET libpcap)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(MPFR REQUIRED IMPORTED_TARGET mpfr)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(SDL2 REQUIRED IMPORTED_TARGET sdl2)

set(HVLAB_ROOT ${CMAKE_SOURCE_DIR})
set(HVLAB_GENERATED ${CMAKE_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${HVLAB_GENERATED})
include_directories(${HVLAB_ROOT} ${HVLAB_GENERATED})

function(hvlab_unit_test)
    cmake_parse_arguments(T "" "NAME" "SOURCES;LIBRARIES;LABELS" ${ARGN})
    add_executable(${T_NAME} ${T_SOURCES})
    target_link_libraries(${T_NAME} PRIVATE ${T_LIBRARIES} PkgConfig::CMOCKA)
    add_test(NAME ${T_NAME} COMMAND ${T_NAME})
    if(NOT T_LABELS)
        set(T_LABELS unit)
    endif()
    set_tests_properties(${T_NAME} PROPERTIES LABELS "${T_LABELS}" TIMEOUT 300)
endfunction()

set(HVLAB_FUZZ_SECONDS 60 CACHE STRING "how long a fuzz target runs in the long check")

# A fuzz target defines LLVMFuzzerTestOneInput.  With clang it is a libFuzzer
# binary; with gcc tests/fuzz/run_corpus.c drives it over seeds and random bytes.
function(hvlab_fuzz_target)
    cmake_parse_arguments(T "" "NAME" "SOURCES;LIBRARIES" ${ARGN})
    add_executable(${T_NAME} ${T_SOURCES} ${HVLAB_ROOT}/tests/fuzz/run_corpus.c)
    target_link_libraries(${T_NAME} PRIVATE ${T_LIBRARIES})
    add_test(NAME ${T_NAME} COMMAND ${T_NAME})
    set_tests_properties(${T_NAME} PROPERTIES LABELS "fuzz" TIMEOUT 600)
    add_test(NAME ${T_NAME}_long CONFIGURATIONS Long COMMAND ${T_NAME} --seconds ${HVLAB_FUZZ_SECONDS})
    math(EXPR limit "${HVLAB_FUZZ_SECONDS} * 2 + 60")
    set_tests_properties(${T_NAME}_long PROPERTIES LABELS "longfuzz" TIMEOUT ${limit})
endfunction()

function(hvlab_generate)
    cmake_parse_arguments(G "" "OUTPUT;TABLE;GENERATOR" "DEPENDS" ${ARGN})
    get_filename_component(dir ${HVLAB_GENERATED}/${G_OUTPUT} DIRECTORY)
    file(MAKE_DIRECTORY ${dir})
    add_custom_command(OUTPUT ${HVLAB_GENERATED}/${G_OUTPUT}
        COMMAND ${Python3_EXECUTABLE} ${HVLAB_ROOT}/tools/gen/${G_GENERATOR}
                ${HVLAB_ROOT}/${G_TABLE} ${HVLAB_GENERATED}/${G_OUTPUT}
        DEPENDS ${HVLAB_ROOT}/tools/gen/${G_GENERATOR} ${HVLAB_ROOT}/${G_TABLE} ${G_DEPENDS}
        VERBATIM COMMENT "generating ${G_OUTPUT}")
endfunction()

# --- software world -----------------------------------------------------------

find_program(HVLAB_IMAGE_CC NAMES gcc-12 gcc REQUIRED)
find_program(HVLAB_IMAGE_LD NAMES ld.bfd ld REQUIRED)
set(HVLAB_IMAGE_FLAGS -std=gnu17 -O2 -g -ffreestanding -nostdlib -fno-builtin -mno-red-zone -mgeneral-regs-only
    -fno-pic -fno-pie -mcmodel=small -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables
    -fno-strict-aliasing -fno-common -ffunction-sections -fdata-sections
    -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wvla
    -ffile-prefix-map=${HVLAB_ROOT}/= -I${HVLAB_ROOT} -I${HVLAB_GENERATED})

# Objects for images.  SECTION names the attribution: their code goes to
# .text.svc.<SECTION>, data stays ordinary.  FLAGS adds to the fixed flags.
# DEPENDS: generated headers.  Result: ${NAME}_OBJECTS in the parent scope and a target NAME.
function(hvlab_objects)
    cmake_parse_arguments(O "" "NAME;SECTION" "SOURCES;FLAGS;DEPENDS" ${ARGN})
    set(objects "")
    foreach(source ${O_SOURCES})
        get_filename_component(absolute ${source} ABSOLUTE)
        file(RELATIVE_PATH relative ${HVLAB_ROOT} ${absolute})
        string(REPLACE "/" "_" object ${relative})
        set(object ${CMAKE_CURRENT_BINARY_DIR}/${O_NAME}_${object}.o)
        set(rename "")
        set(flags ${HVLAB_IMAGE_FLAGS} ${O_FLAGS})
        if(O_SECTION)
            list(REMOVE_ITEM flags -ffunction-sections)
            set(rename COMMAND ${CMAKE_OBJCOPY} --rename-section .text=.text.svc.${O_SECTION} ${object})
        endif()
        add_custom_command(OUTPUT ${object}
            COMMAND ${HVLAB_IMAGE_CC} ${flags} -MD -MF ${object}.d -c -o ${object} ${absolute} ${rename}
            DEPENDS ${absolute} ${O_DEPENDS} DEPFILE ${object}.d VERBATIM
            COMMENT "image object ${relative}")
        list(APPEND objects ${object})
    endforeach()
    add_custom_target(${O_NAME} DEPENDS ${objects})
    set_property(GLOBAL PROPERTY HVLAB_OBJECTS_${O_NAME} "${objects}")
endfunction()

# OBJECTS are names given to hvlab_objects.  The image lands in ${CMAKE_BINARY_DIR}/images/<NAME>.elf.
function(hvlab_image)
    cmake_parse_arguments(I "" "NAME;SCRIPT" "OBJECTS" ${ARGN})
    set(inputs "")
    foreach(name ${I_OBJECTS})
        get_property(objects GLOBAL PROPERTY HVLAB_OBJECTS_${name})
        if(NOT objects)
            message(FATAL_ERROR "hvlab_image(${I_NAME}): no hvlab_objects named ${name}")
        endif()
        list(APPEND inputs ${objects})
    endforeach()
    get_filename_component(script ${I_SCRIPT} ABSOLUTE)
    set(image ${CMAKE_BINARY_DIR}/images/${I_NAME}.elf)
    set(full ${CMAKE_BINARY_DIR}/images/debug/${I_NAME}.elf)
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/images/debug)
    # What the machine loads has symbols but no debug information: that would
    # name the build folder, and the image is part of the machine's state.
    add_custom_command(OUTPUT ${image} BYPRODUCTS ${full}
        COMMAND ${HVLAB_IMAGE_LD} -nostdlib -static --build-id=none --gc-sections -z max-page-size=4096
                --no-warn-rwx-segments -T ${script} -o ${full} ${inputs}
        COMMAND ${CMAKE_OBJCOPY} --strip-debug --remove-section=.comment ${full} ${image}
        DEPENDS ${inputs} ${script} VERBATIM COMMENT "image ${I_NAME}.elf")
    add_custom_target(image_${I_NAME} ALL DEPENDS ${image})
    foreach(name ${I_OBJECTS})
        add_dependencies(image_${I_NAME} ${name})
    endforeach()
endfunction()
