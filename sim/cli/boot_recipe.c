#define _GNU_SOURCE
#include "sim/cli/boot_recipe.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/cli/boot_options.h"

static void
recipe_path(const char *folder, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/boot.json", folder);
}

bool
boot_recipe_is_in(const char *folder)
{
    char path[PATH_MAX];
    recipe_path(folder, path);
    return access(path, R_OK) == 0;
}

bool
boot_recipe_write(const char *folder, const struct boot_options *options, bool listen, char *error, size_t error_size)
{
    char path[PATH_MAX], cwd[PATH_MAX];
    json_t *list = json_array();
    for (int i = 0; i < options->argc; i++) {
        bool valued = false;
        if (i && boot_options_looks(options->argv[i], &valued))
            i += valued;
        else
            json_array_append_new(list, json_string(options->argv[i]));
    }
    if (options->display_implied) { /* by an option that looks */
        json_array_append_new(list, json_string("--display"));
        json_array_append_new(list, json_string(options->display));
    }
    recipe_path(folder, path);
    json_t *o = json_pack("{s:o,s:s,s:b,s:o}", "arguments", list, "folder", getcwd(cwd, sizeof cwd) ? cwd : ".", "listen", listen,
                          "images", json_sprintf("%016" PRIx64, options->images));
    bool good = o && json_dump_file(o, path, JSON_INDENT(2)) == 0;
    json_decref(o);
    if (!good)
        snprintf(error, error_size, "cannot write %s", path);
    return good;
}

void
boot_recipe_free(char **argv)
{
    for (char **a = argv; a && *a; a++)
        free(*a);
    free(argv);
}

/* With room for 'extra' more. */
static char **
copy_arguments(const json_t *list, int *argc, int extra)
{
    size_t count = json_array_size(list);
    char **argv = calloc(count + 1 + (size_t)extra, sizeof *argv);
    for (size_t i = 0; argv && i < count; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        argv[i] = text ? strdup(text) : NULL;
        if (!argv[i]) {
            boot_recipe_free(argv);
            return NULL;
        }
    }
    *argc = (int)count;
    return argv;
}

static char **
read_recipe(const char *folder, int *argc, int extra, struct boot_recipe *recipe, char *error, size_t error_size)
{
    char path[PATH_MAX];
    json_error_t e;
    recipe_path(folder, path);
    json_t *o = json_load_file(path, 0, &e);
    const char *cwd = json_string_value(json_object_get(o, "folder"));
    const json_t *list = json_object_get(o, "arguments");
    char **argv = NULL;
    if (!o)
        snprintf(error, error_size, "%s: %s", path, e.text);
    else if (!cwd || !json_is_array(list) || !json_array_size(list) || !(argv = copy_arguments(list, argc, extra)))
        snprintf(error, error_size, "%s is damaged", path);
    else if (chdir(cwd)) {
        snprintf(error, error_size, "cannot go to %s, where the boot ran: %s", cwd, strerror(errno));
        boot_recipe_free(argv);
        argv = NULL;
    }
    const char *images = json_string_value(json_object_get(o, "images"));
    *recipe = (struct boot_recipe){ .listen = json_is_true(json_object_get(o, "listen")),
                                    .images = images ? strtoull(images, NULL, 16) : 0 };
    json_decref(o);
    return argv;
}

char **
boot_recipe_read(const char *folder, int *argc, struct boot_recipe *recipe, char *error, size_t error_size)
{
    return read_recipe(folder, argc, 0, recipe, error, error_size);
}

/* A value that names a file or folder, seen from anywhere. */
static char *
absolute(const char *option, const char *value)
{
    static const char *const with_names[] = { "--results", "--trace", "--out", "--record", "--picture" };
    char cwd[PATH_MAX], *text = NULL;
    bool names = false, file = (!strcmp(option, "--serial") || !strcmp(option, "--serial2")) && !strncmp(value, "file:", 5);
    for (size_t i = 0; i < sizeof with_names / sizeof *with_names; i++)
        names |= !strcmp(option, with_names[i]);
    const char *name = file ? value + 5 : value;
    if ((!names && !file) || name[0] == '/' || !getcwd(cwd, sizeof cwd))
        return strdup(value);
    return asprintf(&text, "%s%s/%s", file ? "file:" : "", cwd, name) < 0 ? NULL : text;
}

char **
boot_recipe_extend(const char *folder, int *argc, char **argv, struct boot_recipe *recipe, char *error, size_t error_size)
{
    int given = *argc, added = 0;
    char **more = calloc((size_t)given + 1, sizeof *more), where[PATH_MAX];
    for (int i = 1; i < given; i++) {
        bool valued = false;
        if (!boot_options_looks(argv[i], &valued)) {
            snprintf(error, error_size, "boot: a restored machine is what it was: '%s' cannot be said with --restore", argv[i]);
            boot_recipe_free(more);
            return NULL;
        }
        bool restore = !strcmp(argv[i], "--restore");
        if (!restore)
            more[added++] = strdup(argv[i]);
        if (valued && i + 1 < given) {
            i++;
            if (!restore)
                more[added++] = absolute(argv[i - 1], argv[i]);
        }
    }
    char **whole = NULL;
    if (realpath(folder, where))
        whole = read_recipe(where, argc, added, recipe, error, error_size);
    else
        snprintf(error, error_size, "%s: %s", folder, strerror(errno));
    if (!whole) {
        boot_recipe_free(more);
        return NULL;
    }
    memcpy(whole + *argc, more, (size_t)added * sizeof *more);
    *argc += added;
    free(more);
    return whole;
}
