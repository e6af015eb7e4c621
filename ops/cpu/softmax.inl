/* Softmax of one row of scores, as attention and the loss need it.  The sum
 * runs lane by lane in ascending order and then over the lanes, so its bits
 * depend on the row's own values and length alone. */

/* Largest of n >= 1 values; NaN may be overlooked here, exponentials keep it. */
AI float row_max(const float *x, size_t n)
{
    vf most = vset(x[0]);
    size_t i = 0;
    for (; i + VW <= n; i += VW)
        most = vmax(most, vload(x + i));
    if (i < n)
        most = vmax(most, vselect(vbelow(n - i), vload(x + i), most));
    return vlargest(most);
}

/* x[i] = e^(scale (x[i] - max)) for i < n, exactly 0 up to the end of the last vector; returns the
 * sum.  x must be readable to the end of that vector. */
AI float row_exp(float *x, size_t n, float max, float scale)
{
    vf sum = vzero(), top = vset(max), s = vset(scale);
    size_t i = 0;
    for (; i + VW <= n; i += VW) {
        vf e = vexp((vload(x + i) - top) * s);
        vstore(x + i, e);
        sum += e;
    }
    if (i < n) {
        vf e = vselect(vbelow(n - i), vexp((vload(x + i) - top) * s), vzero());
        vstore(x + i, e);
        sum += e;
    }
    return vsum(sum);
}

AI void zero_from(float *x, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        x[i] = 0;
}
