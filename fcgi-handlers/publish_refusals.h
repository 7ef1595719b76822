/* Tells the daemon which points of a post were not published, for `esnctl explain`; when the post has
 * been answered, so that no publisher waits for it. */
#ifndef ESN_PUBLISH_REFUSALS_H
#define ESN_PUBLISH_REFUSALS_H

struct publish_post;
struct publish_queue;

/* Harmless when all were published. */
void publish_refusals_tell(struct publish_queue *queue, const struct publish_post *post);

#endif
