/* A test double of libnvidia-ml.so.1: as much of NVML as nvidia-ml-py is asked for by our meter.
 *
 * Nothing here is measured. Time and true power come from a text file that the test writes:
 *   first line: the time now, in seconds; every further line: "START_S POWER_W", power from then on.
 * Registers refresh every DOUBLE_UPDATE_S. Device i draws i + 1 times the power in the file.
 *
 * Environment, read by nvmlInit:
 *   DOUBLE_CLOCK          path of the file; without it time is real
 *   DOUBLE_UPDATE_S       0.1
 *   DOUBLE_NUM_DEVICES    1
 *   DOUBLE_FAULT          "", user (may set nothing), no_driver, mismatch, no_permission, unsupported, frozen,
 *                         and from DOUBLE_FAULT_AT_S on: stopped, reset, wrapped, lost, swapped, hot
 *   DOUBLE_POWER_SCALE    1: what the power reading says, over the truth
 *   DOUBLE_WARMING_C_S    0: degrees per second
 *   DOUBLE_EVENT_REASONS  0
 *   DOUBLE_MIG            0
 *   DOUBLE_PROCESSES      "": numbers of processes on the device, with blanks between
 * Compiled with -DWITHOUT_COUNTER, it lacks nvmlDeviceGetTotalEnergyConsumption.
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4,
       NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, NOT_LOADED = 9, LOST = 15, MISMATCH = 18 };
enum { MAX_DEVICES = 8, MAX_PROCESSES = 8, MAX_CHANGES = 4096 };
typedef struct { int number; } Device;

static Device devices[MAX_DEVICES];
static int num_devices, is_up;
static double update_s, fault_at_s, power_scale, warming_c_s;
static const char *fault = "";

static double setting(const char *name, double otherwise) {
  const char *text = getenv(name);
  return text && *text ? atof(text) : otherwise;
}

static double now_s, change_s[MAX_CHANGES], change_w[MAX_CHANGES];
static int num_changes;

static void look_at_clock(void) {
  if (!getenv("DOUBLE_CLOCK")) { /* real time, at a constant 300 W */
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    now_s = time.tv_sec + 1e-9 * time.tv_nsec;
    num_changes = 1, change_s[0] = 0, change_w[0] = 300;
    return;
  }
  FILE *file = fopen(getenv("DOUBLE_CLOCK"), "r");
  if (!file || fscanf(file, "%lf", &now_s) != 1) abort();
  for (num_changes = 0; num_changes < MAX_CHANGES; num_changes++)
    if (fscanf(file, "%lf %lf", &change_s[num_changes], &change_w[num_changes]) != 2) break;
  fclose(file);
}

/* True joules of device 0 from time 0 to t. */
static double true_j(double t) {
  double sum_j = 0;
  for (int i = 0; i < num_changes && change_s[i] < t; i++) {
    double end_s = i + 1 < num_changes && change_s[i + 1] < t ? change_s[i + 1] : t;
    sum_j += change_w[i] * (end_s - change_s[i]);
  }
  return sum_j;
}

static double refreshed_s(void) { return floor(now_s / update_s + 1e-9) * update_s; }
static int has_fault(const char *name) { return !strcmp(fault, name); }
static int fault_now(const char *name) { return has_fault(name) && now_s >= fault_at_s; }

unsigned nvmlInitWithFlags(unsigned flags) {
  (void)flags;
  const char *text = getenv("DOUBLE_FAULT");
  fault = text ? text : "";
  if (has_fault("no_driver")) return NOT_LOADED;
  if (has_fault("mismatch")) return MISMATCH;
  if (has_fault("no_permission")) return NO_PERMISSION;
  fault_at_s = setting("DOUBLE_FAULT_AT_S", 0);
  num_devices = (int)setting("DOUBLE_NUM_DEVICES", 1);
  update_s = setting("DOUBLE_UPDATE_S", 0.1);
  power_scale = setting("DOUBLE_POWER_SCALE", 1);
  warming_c_s = setting("DOUBLE_WARMING_C_S", 0);
  for (int i = 0; i < MAX_DEVICES; i++) devices[i].number = i;
  is_up++;
  return SUCCESS;
}
unsigned nvmlShutdown(void) { is_up--; return SUCCESS; }
const char *nvmlErrorString(unsigned code) { (void)code; return "error of the test double"; }

unsigned nvmlSystemGetDriverVersion(char *text, unsigned size) {
  snprintf(text, size, "999.00-fake");
  return SUCCESS;
}
unsigned nvmlDeviceGetCount_v2(unsigned *count) { *count = (unsigned)num_devices; return SUCCESS; }
unsigned nvmlDeviceGetHandleByIndex_v2(unsigned i, Device **device) {
  if (!is_up) return UNINITIALIZED;
  if (i >= (unsigned)num_devices) return INVALID;
  *device = &devices[i];
  return SUCCESS;
}
static void write_uuid(const Device *device, char *text, unsigned size) {
  int number = device->number + (fault_now("swapped") ? 100 : 0);
  snprintf(text, size, "GPU-d0b1e000-0000-0000-0000-%012d", number);
}
unsigned nvmlDeviceGetUUID(Device *device, char *text, unsigned size) {
  look_at_clock();
  write_uuid(device, text, size);
  return SUCCESS;
}
unsigned nvmlDeviceGetHandleByUUID(const char *uuid, Device **device) {
  look_at_clock();
  for (int i = 0; i < num_devices; i++) {
    char text[80];
    write_uuid(&devices[i], text, sizeof text);
    if (!strcmp(text, uuid)) { *device = &devices[i]; return SUCCESS; }
  }
  return NOT_FOUND;
}
unsigned nvmlDeviceGetName(Device *device, char *text, unsigned size) {
  (void)device;
  snprintf(text, size, "Imaginary GPU (test double)");
  return SUCCESS;
}

#ifndef WITHOUT_COUNTER
unsigned nvmlDeviceGetTotalEnergyConsumption(Device *device, unsigned long long *energy_mj) {
  if (!is_up) return UNINITIALIZED;
  if (has_fault("unsupported")) return NOT_SUPPORTED;
  look_at_clock();
  if (fault_now("lost")) return LOST;
  double scale = device->number + 1, at_s = has_fault("frozen") ? 0 : refreshed_s();
  double wrap_j = 4294967.296; /* 2^32 mJ */
  double start_j = 5000 * scale;
  if (has_fault("wrapped")) start_j = wrap_j - scale * true_j(fault_at_s);
  if (fault_now("stopped")) at_s = fault_at_s;
  double counter_j = start_j + scale * true_j(at_s);
  if (fault_now("reset")) counter_j = scale * (true_j(at_s) - true_j(fault_at_s));
  if (has_fault("wrapped")) counter_j = fmod(counter_j, wrap_j);
  *energy_mj = (unsigned long long)(1e3 * counter_j);
  return SUCCESS;
}
#endif

typedef struct {
  unsigned id, scope;
  int64_t time_us, latency_us;
  unsigned type, code;
  union { unsigned u; unsigned long long ull; } value;
} Field;

unsigned nvmlDeviceGetFieldValues(Device *device, int count, Field *fields) {
  look_at_clock();
  double end_s = refreshed_s(), length_s = end_s < 1 ? end_s : 1;
  double mean_w = length_s > 0 ? (true_j(end_s) - true_j(end_s - length_s)) / length_s : 0;
  for (int i = 0; i < count; i++) {
    fields[i].code = NOT_SUPPORTED;
    if (fields[i].id == 185 && fields[i].scope == 0) { /* average power of the board */
      fields[i].code = SUCCESS;
      fields[i].type = 1;
      fields[i].value.u = (unsigned)(1e3 * power_scale * mean_w * (device->number + 1));
    }
    if (fields[i].id == 269) { /* slow because too hot */
      fields[i].code = SUCCESS;
      fields[i].type = 3;
      fields[i].value.ull = fault_now("hot") ? (unsigned long long)(1e9 * now_s) : 0;
    }
  }
  return SUCCESS;
}

typedef struct { unsigned version, sensor; int temperature_c; } Temperature;
unsigned nvmlDeviceGetTemperatureV(Device *device, Temperature *asked) {
  (void)device;
  look_at_clock();
  asked->temperature_c = (int)(40 + warming_c_s * now_s);
  return SUCCESS;
}
unsigned nvmlDeviceGetCurrentClocksEventReasons(Device *device, unsigned long long *reasons) {
  (void)device;
  *reasons = (unsigned long long)setting("DOUBLE_EVENT_REASONS", 0);
  return SUCCESS;
}
static unsigned set_limit_mw[MAX_DEVICES], locked_mhz[MAX_DEVICES];
unsigned nvmlDeviceGetEnforcedPowerLimit(Device *device, unsigned *limit_mw) {
  unsigned set_mw = set_limit_mw[device->number];
  *limit_mw = set_mw ? set_mw : 700000u * (unsigned)(device->number + 1);
  return SUCCESS;
}
unsigned nvmlDeviceGetPowerManagementLimit(Device *device, unsigned *limit_mw) {
  return nvmlDeviceGetEnforcedPowerLimit(device, limit_mw);
}
unsigned nvmlDeviceGetPowerManagementLimitConstraints(Device *device, unsigned *least_mw,
                                                      unsigned *most_mw) {
  *least_mw = 200000;
  *most_mw = 700000u * (unsigned)(device->number + 1);
  return SUCCESS;
}
unsigned nvmlDeviceSetPowerManagementLimit(Device *device, unsigned limit_mw) {
  if (has_fault("user")) return NO_PERMISSION;
  set_limit_mw[device->number] = limit_mw;
  return SUCCESS;
}
unsigned nvmlDeviceGetClockInfo(Device *device, unsigned kind, unsigned *clock_mhz) {
  unsigned locked = locked_mhz[device->number];
  *clock_mhz = kind == 2 ? 3201 : locked ? locked : 1980;
  return SUCCESS;
}
unsigned nvmlDeviceGetMaxClockInfo(Device *device, unsigned kind, unsigned *clock_mhz) {
  (void)device;
  *clock_mhz = kind == 2 ? 3201 : 1980;
  return SUCCESS;
}
unsigned nvmlDeviceSetGpuLockedClocks(Device *device, unsigned least_mhz, unsigned most_mhz) {
  if (has_fault("user")) return NO_PERMISSION;
  locked_mhz[device->number] = least_mhz == most_mhz ? most_mhz : 0;
  return SUCCESS;
}
unsigned nvmlDeviceResetGpuLockedClocks(Device *device) {
  locked_mhz[device->number] = 0;
  return SUCCESS;
}
unsigned nvmlDeviceGetMigMode(Device *device, unsigned *current, unsigned *pending) {
  (void)device;
  *current = *pending = (unsigned)setting("DOUBLE_MIG", 0);
  return SUCCESS;
}

typedef struct { unsigned id; unsigned long memory; unsigned gpu, compute; } Process;
unsigned nvmlDeviceGetComputeRunningProcesses_v3(Device *device, unsigned *count, Process *found) {
  (void)device;
  const char *text = getenv("DOUBLE_PROCESSES");
  unsigned room = *count, id;
  int length;
  *count = 0;
  while (text && sscanf(text, "%u%n", &id, &length) == 1 && *count < MAX_PROCESSES) {
    if (found && *count < room) memset(&found[*count], 0, sizeof *found), found[*count].id = id;
    (*count)++;
    text += length;
  }
  return found || *count == 0 ? SUCCESS : INSUFFICIENT_SIZE;
}
