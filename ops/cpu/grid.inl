/* How a product is cut into tasks: blocks of rows, and groups of panels until there
 * are enough tasks for many threads or they would become too small to hand out. */
typedef struct task_grid {
    size_t R, panels;              /* in all */
    size_t row_block, row_blocks, group; /* group: panels of a task */
    size_t tasks;
} task_grid;

typedef struct task_part { size_t row, row_end, panel, panel_end; } task_part;

/* most: rows of a block at most; unit: rows of a tile; per_panel: seconds that a block of rows takes for a panel. */
static task_grid grid_of(size_t R, size_t most, size_t unit, size_t panels, double per_panel)
{
    enum { MANY_TASKS = 64 };
    const double small_task = 1e-5; /* seconds, against about one microsecond for handing out */
    task_grid g = { .R = R, .panels = panels, .group = panels };
    g.row_blocks = count_tasks(R, most);
    g.row_block = count_tasks(count_tasks(R, g.row_blocks), unit) * unit;
    g.row_blocks = count_tasks(R, g.row_block);
    while (g.group > 1 && g.row_blocks * count_tasks(panels, g.group) < MANY_TASKS && per_panel * (double)g.group > small_task)
        g.group = (g.group + 1) / 2;
    g.tasks = g.row_blocks * count_tasks(panels, g.group);
    return g;
}

AI task_part grid_part(const task_grid *g, size_t task)
{
    task_part t;
    t.row = task % g->row_blocks * g->row_block;
    t.row_end = task_end(t.row, g->row_block, g->R);
    t.panel = task / g->row_blocks * g->group;
    t.panel_end = task_end(t.panel, g->group, g->panels);
    return t;
}
