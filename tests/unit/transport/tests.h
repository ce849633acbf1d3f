/* The groups of this program; each returns the number of tests that failed. */
#ifndef TESTS_H
#define TESTS_H

int run_allow(void);
int run_classify(void);
int run_outcomes(void);
int run_rules(void);
int run_connect(void);
int run_tls(void);
int run_loop(void);
int run_wire(void);
int run_hold(void);
int run_batch(void);

#endif
