/* The groups of this program; each returns the number of failures. */
#ifndef E8_TEST_SINK_H
#define E8_TEST_SINK_H

int test_mix(void);
int test_record(void);

#endif
