#ifndef ESN_SWITCH_H
#define ESN_SWITCH_H

#define ESN_SLIPS_MOST 65536

extern unsigned char *esn_slips_reached;
extern int esn_slip_now;

static inline void esn_slip_mark(int number)
{
    if (esn_slips_reached)
        esn_slips_reached[number] = 1;
}

static inline int esn_slip(int number)
{
    esn_slip_mark(number);
    return number == esn_slip_now;
}

/* Where a condition has no side effects, a test comes by the slip only when that would have made a difference. */
static inline int esn_slip_if(int number, int condition)
{
    if (condition)
        esn_slip_mark(number);
    return condition;
}

static inline int esn_slip_unless(int number, int condition)
{
    if (!condition)
        esn_slip_mark(number);
    return condition;
}

static inline int esn_slip_either(int number, int slipped, int condition)
{
    if (slipped != condition)
        esn_slip_mark(number);
    return number == esn_slip_now ? slipped : condition;
}

#define ESN_SLIP(number) esn_slip(number)
#define ESN_SLIP_ON(number) ((number) == esn_slip_now)
#define ESN_SLIP_IF(number, condition) esn_slip_if(number, !!(condition))
#define ESN_SLIP_UNLESS(number, condition) esn_slip_unless(number, !!(condition))
#define ESN_SLIP_EITHER(number, slipped, condition)                                                \
    esn_slip_either(number, !!(slipped), !!(condition))

#endif
