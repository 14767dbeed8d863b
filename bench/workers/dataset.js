// A dataset of metrics that takes every point and keeps none.
export default () => ({ writeDataPoint() {} });
