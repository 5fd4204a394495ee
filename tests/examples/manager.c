/* A Work Queue manager: N tasks, each sleeps and prints; ends when all are done.
   usage: manager PORTFILE TASKS SECONDS */
#include <stdio.h>
#include <stdlib.h>
#include <work_queue.h>

int main(int argc, char **argv) {
    struct work_queue *queue = work_queue_create(0);
    if (argc < 4 || !queue) return 1;
    FILE *file = fopen(argv[1], "w");
    fprintf(file, "%d", work_queue_port(queue));
    fclose(file);
    char command[100];
    snprintf(command, sizeof command, "sleep %s && hostname", argv[3]);
    for (int i = 0; i < atoi(argv[2]); i++) work_queue_submit(queue, work_queue_task_create(command));
    int done = 0;
    while (!work_queue_empty(queue)) {
        struct work_queue_task *task = work_queue_wait(queue, 5);
        if (task) {
            if (task->return_status == 0) done++;
            work_queue_task_delete(task);
        }
    }
    printf("%d\n", done);
    work_queue_delete(queue);
    return 0;
}
