#define _GNU_SOURCE
#include "sim/lab/testbed_images.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "sim/lab/testbed.h"
#include "sim/lab/tracker.h"
#include "sim/platform/elf_image.h"
#include "sim/platform/load.h"
#include "spec/hv/boot.h"

enum { FILES = 3 };
enum which { HV, ROOT, CHILD };

struct testbed_images {
    uint8_t *bytes[FILES];
    size_t size[FILES];
    struct image *image[FILES];
    char frames_name[SCHEDULE_CHILDREN_MAX][16];
    uint64_t hash;
};

/* --- names for code -------------------------------------------------------------- */

static void
declare_section(struct machine *m, const struct image_section *s, const char *locus, const char *rest)
{
    static const char service[] = ".text.svc.";
    char name[48];
    if (!s->executable || s->spa == IMAGE_NOWHERE || !s->size)
        return;
    if (!strncmp(s->name, service, sizeof service - 1))
        snprintf(name, sizeof name, "%s@%s", s->name + sizeof service - 1, locus);
    else if (!strcmp(s->name, ".text.copy"))
        snprintf(name, sizeof name, "copy");
    else
        snprintf(name, sizeof name, "%s", rest);
    bucket_add_range(m, name, s->spa, s->size);
}

static void
declare_code(struct machine *m, const struct image *image, const char *locus, const char *rest)
{
    for (unsigned i = 0; i < image->section_count; i++)
        declare_section(m, &image->section[i], locus, rest);
}

/* --- loading --------------------------------------------------------------------- */

static bool
read_images(struct testbed_images *t, const struct testbed_config *c, char *error, size_t error_size)
{
    const char *path[FILES] = { [HV] = c->hv_image, [ROOT] = c->root_image, [CHILD] = c->child_image };
    for (unsigned i = 0; i < FILES; i++) {
        t->bytes[i] = load_file(path[i], &t->size[i], error, (unsigned)error_size);
        if (!t->bytes[i])
            return false;
        t->image[i] = image_parse(path[i], t->bytes[i], t->size[i], error, (unsigned)error_size);
        if (!t->image[i])
            return false;
        t->hash = XXH3_64bits_withSeed(t->bytes[i], t->size[i], t->hash);
    }
    t->hash = XXH3_64bits_withSeed(c->config_text, strlen(c->config_text), t->hash);
    return true;
}

static bool
load(struct machine *m, struct testbed_images *t, const struct testbed_config *c, char *error, size_t error_size)
{
    struct load_module module[3 + SCHEDULE_CHILDREN_MAX] = {
        { "root", t->bytes[ROOT], t->size[ROOT], "root" },
        { "child", t->bytes[CHILD], t->size[CHILD], "child" },
        { "config", (const uint8_t *)c->config_text, strlen(c->config_text), "config" },
    };
    unsigned count = 3;
    for (unsigned k = 0; k < c->schedule->children; k++) {
        snprintf(t->frames_name[k], sizeof t->frames_name[k], "frames%u", k);
        module[count++] = (struct load_module){ t->frames_name[k], c->schedule->child[k].module,
                                                c->schedule->child[k].module_size, t->frames_name[k] };
    }
    struct load_request request = {
        .name = c->hv_image, .bytes = t->bytes[HV], .size = t->size[HV], .protocol = LOAD_MULTIBOOT2,
        .cmdline = "hv", .modules = module, .module_count = count,
    };
    return load_image(m, &request, error, (unsigned)error_size);
}

struct testbed_images *
testbed_images_load(struct machine *m, const struct testbed_config *c, char *error, size_t error_size)
{
    struct testbed_images *t = calloc(1, sizeof *t);
    if (t && read_images(t, c, error, error_size) && load(m, t, c, error, error_size)) {
        declare_code(m, t->image[HV], "hv", "hv");
        declare_code(m, t->image[ROOT], "root-kernel", "root");
        return t;
    }
    testbed_images_free(t);
    return NULL;
}

void
testbed_images_watch(const struct testbed_images *t, struct tracker *tracker)
{
    tracker_watch_image(tracker, t->image[HV]);
    tracker_watch_image(tracker, t->image[ROOT]);
}

const struct image *
testbed_images_child(const struct testbed_images *t)
{
    return t->image[CHILD];
}

const struct image *
testbed_images_with(const struct testbed_images *t, const char *symbol)
{
    for (unsigned i = HV; i <= ROOT; i++)
        if (image_symbol_by_name(t->image[i], symbol))
            return t->image[i];
    return NULL;
}

void
testbed_images_free(struct testbed_images *t)
{
    if (!t)
        return;
    for (unsigned i = 0; i < FILES; i++) {
        image_free(t->image[i]);
        free(t->bytes[i]);
    }
    free(t);
}

uint64_t
testbed_images_hash(const struct testbed_images *t)
{
    return t->hash;
}
