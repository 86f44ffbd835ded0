/* Scripts with any contents, heard and played to their end. Input: the script's text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sim/cli/script.h"
#include "sim/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[256], *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    struct script *s = script_parse("fuzz", text, error, sizeof error);
    for (unsigned i = 0; s && i < 64; i++) {
        struct input_event e;
        while (script_poll(s, i * MACHINE_TSC_HZ, &e) == SCRIPT_EVENT) {
            uint8_t bytes[INPUT_EVENT_SIZE];
            input_event_pack(&e, bytes);
            if (!input_event_unpack(&e, bytes))
                abort();
        }
        script_hear(s, size ? data[i % size] : 0);
    }
    script_close(s);
    free(text);
    return 0;
}
